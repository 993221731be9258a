"""What a user got wrong is told before any large library is imported, so that it is told at once."""

import json
import subprocess
import sys

import pytest
import tiny

LARGE = ["diffusers", "matplotlib", "open_clip", "pandas", "scipy", "skimage", "torch", "transformers", "trimesh"]
# Run commands one after the other; of each, its exit status and the large libraries that it was the first to import.
CALLS = f"""
import json, sys
from jsdpipe.cli import main
found = []
for arguments in json.load(sys.stdin):
    before, sys.argv, status = set(sys.modules), ["jsdpipe", *arguments], 0
    try:
        main()
    except SystemExit as end:
        status = end.code or 0
    found.append([status, sorted(set({LARGE}) & (set(sys.modules) - before))])
print(json.dumps(found))
"""
MISTAKES = [
    ["none"],
    ["check", "none.yaml"],
    ["check", "bad.yaml"],
    ["check", "no-model.yaml"],
    ["check", "no-recipe.yaml"],
    ["check", "no-plugin.yaml"],
    ["configure", "good.yaml", "--run", "ball.glb"],
    ["recipes", "none"],
    ["prompts", "fetch", "none"],
    ["models", "check", "bad.yaml"],
    ["bench", "evaluate", "bad.yaml"],
    ["bench", "evaluate", "no-model.yaml"],
    ["miniature", "train"],
    ["miniature", "train", "none"],
    ["miniature", "evaluate"],
    ["score", "none.glb", "--prompt", "a ball"],
    ["score", "ball.glb"],
    ["score", "ball.glb", "--prompt", ""],
    ["score", "ball.glb", "--prompt", "a zebra"],
    ["score", "ball.glb", "--prompt", "a ball", "--front", "-y"],
    ["score", "ball.glb", "--prompt", "a ball", "--config", "bad.yaml"],
    ["score", "ball.glb", "--prompt", "a ball", "--config", "no-model.yaml"],
    ["score", "ball.glb", "--prompt", "a ball", "--out", "ball.glb/scores.json"],
    ["make"],
    ["make", ""],
    ["make", "a ball", "--seed", "-1"],
    ["make", "a ball", "--recipe", "none"],
    ["make", "a ball", "--recipe", "bad.yaml"],
    ["make", "a ball", "--prior", "none"],
    ["make", "a ball", "--dtype", "int8"],
    ["make", "a ball", "--out", "ball.glb"],
    ["make", "a ball", "--out", "."],
    ["make", "a ball", "--recipe", "small.yaml", "--out", "asset", "--seed", "1"],
    ["stage", "generate", "--run", "run", "--shard", "none"],
    *(
        [stage, "--run", "run", "--shard", "jsd/single/000"]
        for stage in ("mesh", "render", "quality", "alignment", "diversity")
    ),
    *(["stage", summary, "--run", run] for summary in ("tables", "figures", "report") for run in ("run", "none")),
    ["stage", "study", "--run", "none"],
]
GOOD = [
    ["--help"],
    ["--version"],
    ["make", "--help"],
    ["recipes"],
    ["models", "check"],
]
# What these have to check is a recipe, and with it the file of its objective, which imports torch.
VALIDATING = [
    ["check"],
    ["recipes", "published/jsdlr"],
    ["configure", "good.yaml", "--run", "run"],
    ["make", "a ball", "--recipe", "small.yaml", "--out", "asset"],  # is there
]


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """What came of every command, in a folder with a file, configurations, a run of which nothing is made, an asset."""
    folder = tmp_path_factory.mktemp("refusals")
    (folder / "ball.glb").touch()
    config = tiny.config(folder)
    tiny.write(folder / "good.yaml", config)
    tiny.write(folder / "bad.yaml", config | {"seeds": "many"})
    no_model = config | {"quality": {"reward": {"kind": "open-clip", "model": "./none", "mean": 0.0, "std": 1.0}}}
    tiny.write(folder / "no-model.yaml", no_model)
    methods = config["methods"] | {"other": {"recipe": "none"}}
    tiny.write(folder / "no-recipe.yaml", config | {"methods": methods})
    tiny.write(folder / "no-plugin.yaml", config | {"plugins": ["none.py"]})
    recipe = {"base": "miniature/sds", "steps": 2, "field": {"resolution": 12}}
    tiny.write(folder / "small.yaml", recipe | {"cameras": {"size": 16, "samples_per_ray": 8}})

    def call(commands):
        process = [sys.executable, "-c", CALLS]
        done = subprocess.run(process, input=json.dumps(commands), cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    made = call(VALIDATING[-1:])
    assert made[0][0] == 0 and "diffusers" in made[0][1]
    found = {" ".join(command): of for command in VALIDATING for of in call([command])}
    commands = GOOD + MISTAKES
    return found | {" ".join(command): of for command, of in zip(commands, call(commands), strict=True)}


def test_a_mistake_is_told_before_large_imports(calls):
    mistakes = [" ".join(command) for command in MISTAKES]
    assert {command: calls[command] for command in mistakes if calls[command] != [2, []]} == {}


def test_what_needs_no_large_library_imports_none(calls):
    good = [" ".join(command) for command in GOOD]
    assert {command: calls[command] for command in good if calls[command] != [0, []]} == {}


def test_what_checks_a_recipe_imports_torch_alone(calls):
    validating = [" ".join(command) for command in VALIDATING]
    assert {command: calls[command] for command in validating if calls[command] != [0, ["torch"]]} == {}
