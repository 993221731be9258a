"""Every mistake in a configuration is one line with the file, the key and the mend; status 2; nothing is written."""

import copy
import re
import shutil
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import tiny
import tiny_models

from jsdpipe.config.recipe import Recipe
from jsdpipe.config.run_config import RunConfig, resolve
from jsdpipe.miniature import WEIGHTS
from jsdpipe.models import settings
from jsdpipe.models.roles import ROLES
from jsdpipe.objectives import OBJECTIVES

GONE = object()
GOOD_PROMPT = "a striped red mug on green grass"  # as a message proposes it


def changed(config: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """The configuration with one key, dotted, replaced, added, or taken out (GONE)."""
    config = copy.deepcopy(config)
    *above, last = key.split("/")
    holder = reduce(lambda mapping, part: mapping[part], above, config)
    if value is GONE:
        del holder[last]
    else:
        holder[last] = value
    return config


@pytest.fixture
def refused(refusal, tmp_path):
    """What `jsdpipe configure` says of a configuration that it must refuse."""

    def configure(config: dict[str, Any]) -> str:
        path = tiny.write(tmp_path / "config.yaml", config)
        said = refusal("configure", path, "--run", tmp_path / "run")
        assert not (tmp_path / "run").exists()
        assert said.startswith(f"{path}: ")
        return said.removeprefix(f"{path}: ")

    return configure


@pytest.mark.parametrize(
    ("key", "value", "where", "words"),
    [
        ("seeds", GONE, "seeds", []),
        ("plugins", "mine.py", "plugins", ["array", '"mine.py"']),
        ("plugins", [""], "plugins.0", []),
        ("plugins", ["none.py"], "plugins", ["none.py: "]),
        ("render/quality/radius", GONE, "render.quality.radius", []),
        ("methods/jsd/recipe", GONE, "methods.jsd.recipe", []),
        ("sead", 1, "sead", ["'seed'"]),
        ("render/quality/fovy", [60.0], "render.quality.fovy", ["'fovy_deg'"]),
        ("prior/cheese", 1, "prior.cheese", ["dtype", "model", "revision"]),
        ("resources", {"generat": {}}, "resources.generat", ["'generate'"]),
        ("resources", {"mesh": {"gpus": 1}}, "resources.mesh.gpus", ["'gpu'"]),
        ("seeds", 3, "seeds", ["array", "3"]),
        ("seeds", [0, "1"], "seeds.1", ["integer", '"1"']),
        ("seeds", [0, 1, 0], "seeds", ["0", "twice"]),
        ("seeds", [], "seeds", ["at least 1"]),
        ("mesh/threshold", "high", "mesh.threshold", ["number", '"high"']),
        ("mesh/resolution", 16.5, "mesh.resolution", ["integer"]),
        ("render/keep_views", "no", "render.keep_views", ["boolean", '"no"']),
        ("prior/dtype", "int8", "prior.dtype", ["'float32', 'float16' or 'bfloat16'", '"int8"']),
        ("methods", {}, "methods", ["at least 1"]),
        ("methods", None, "methods", ["object"]),
        ("methods/a b", {"recipe": "published/jsdlr"}, "methods.a b", ["64"]),
        ("methods/..", {"recipe": "published/jsdlr"}, "methods...", []),
        ("methods/x\ny", {"recipe": "published/jsdlr"}, r"methods.'x\ny'", []),
        ("run", "../elsewhere", "run", []),
        ("run", "r" * 65, "run", ["64"]),
        ("methods/jsd/recipe", "jsd-minature", "methods.jsd", ['"jsd-minature"', "'miniature/jsd'"]),
        ("methods/jsd/recipe", "./none.yaml", "methods.jsd", ["none.yaml: "]),
        ("methods/jsd/recipe", "./a\nb.yaml", "methods.jsd", [r"a\nb.yaml: "]),
        ("methods/jsd/recipe", "a\nb", "methods.jsd", [r'"a\nb"']),
        ("methods/jsd/recipe", "x" * 300, "methods.jsd", ['"xxx']),
        ("methods/jsd/recipe", "/\0.yaml", "methods.jsd", [r"/\x00.yaml: "]),
        ("methods/jsd/recipe", "", "methods.jsd.recipe", []),
        ("methods/JSD", {"recipe": "published/jsdlr"}, "methods", ["'jsd' and 'JSD'"]),
        ("sets/Single", {"file": "x"}, "sets", ["'single' and 'Single'"]),
        ("quality/reward", "miniature-clip", "quality.reward", ['"miniature-clip"']),
        ("alignment/judge", {"kind": "attribute"}, "alignment.judge.kind", ["'attributes'"]),
        ("alignment/judge", {"kind": "openai", "model": "m"}, "alignment.judge.base_url", []),
        (
            "alignment/judge",
            {"kind": "openai", "model": "m", "base_url": "localhost/v1"},
            "alignment.judge.base_url",
            ["http"],
        ),
        (
            "alignment/judge",
            {"kind": "openai", "model": "m", "base_url": "http://a/v1", "api_key": "sk"},
            "alignment.judge.api_key",
            ["key_env"],
        ),
        (
            "alignment/judge",
            {"kind": "transformers", "model": "no such folder"},
            "alignment.judge",
            ["'no such folder'", "transformers"],
        ),
        ("alignment/captioner", {"kind": "blip3"}, "alignment.captioner.kind", ["'blip"]),
        ("prior/model", "minature", "prior.model", ["'minature'", "diffusers"]),
        ("prior/revision", "main", "prior.model", ["'miniature'", "'main'"]),
        ("prior/model", "/none/sd", "prior.model", ["'/none/sd'"]),
        ("prior/model", "", "prior.model", []),
        ("prior/model", "x" * 300, "prior.model", ["x" * 300, "File name too long"]),
        ("joined", ["generate", "mesh"], "joined.0", ["'mesh'", '"generate"']),
        ("joined", ["mesh", "quality"], "joined", ["add render"]),
        ("sets/single/file", "none.txt", "sets.single.file", ["none.txt: "]),
        ("sets/single/file", "", "sets.single.file", []),
        ("sets/single/file", "a\0b", "sets.single.file", [r"a\x00b: "]),
        ("sets/single/file", "/", "sets.single.file", ["/: ", "Is a directory"]),
        ("render/quality/fovy_deg", [], "render.quality.fovy_deg", ["at least 1"]),
    ],
)
def test_a_wrong_key(refused, tmp_path, key, value, where, words):
    message = refused(changed(tiny.config(tmp_path), key, value))
    assert message.startswith(f"{where}: ")
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("key", "value", "bounds"),
    [
        ("render/quality/fovy_deg", [60.0, 180.0], "4 170"),
        ("render/alignment/fovy_deg", 0.785, "4 170"),  # radians
        ("render/quality/radius", 1.7, "1.7321 100"),  # within the mesh's cube
        ("render/alignment/radius", -4.0, "1.7321 100"),
        ("render/quality/radius", 2200.0, "1.7321 100"),
        ("render/diversity/elevation_deg", 90.5, "-90 90"),
        ("render/diversity/distance", 1500.0, "0 100"),  # millimetres
        ("render/diversity/views", 0, "1 1000"),
        ("render/size", 65_536, "16 4096"),
        ("render/supersample", 16, "1 8"),
        ("mesh/resolution", 100_000, "8 1024"),
        ("mesh/threshold", -1.0, "0 10000"),
        ("mesh/min_component", 2, "0 1"),  # per cent
        ("generation/batch_assets", 1_000_000, "1 1024"),
        ("generation/preview_views", 100_000, "1 1000"),
        ("generation/unet_samples", 0, "1 1000000000"),
        ("resources", {"mesh": {"mem_mb": 16}}, "100 16000000"),  # GB
        ("resources", {"mesh": {"mem_mb": 16_000_000_000}}, "100 16000000"),  # bytes
        ("resources", {"mesh": {"runtime": 172_800}}, "1 50000"),  # seconds
        ("resources", {"mesh": {"gpu": 100}}, "0 64"),
        ("report/confidence", 95, "0.5 1"),  # per cent
        ("report/confidence", 0.05, "0.5 1"),  # the level
        ("report/bootstrap", 10, "100 1000000"),
        ("seed", -1, "0 9223372036854775808"),
        ("seeds", [2**63], "0 9223372036854775808"),
        ("study/particles", 10_000_000, "1 100000"),
    ],
)
def test_a_number_of_another_unit_or_magnitude(refused, tmp_path, key, value, bounds):
    """Whatever the key, the message says between which bounds it must be."""
    where, said = refused(changed(tiny.config(tmp_path), key, value)).split(": ", 1)
    assert where.startswith(key.replace("/", "."))
    assert set(bounds.split()) <= set(re.findall(r"-?\d+(?:\.\d+)?", said))


def numbers(schema, key):
    """Every numeric key in a part of a schema, with what is said of it."""
    if schema.get("type") in ("number", "integer"):
        yield key, schema
    for name, below in schema.get("properties", {}).items():
        yield from numbers(below, f"{key}.{name}")
    unions = (option for union in ("anyOf", "oneOf", "allOf") for option in schema.get(union, []))
    for below in (*schema.get("prefixItems", []), *unions, schema.get("items"), schema.get("additionalProperties")):
        if isinstance(below, dict):
            yield from numbers(below, key)


@pytest.mark.parametrize("model", [RunConfig, Recipe])
def test_every_number_has_bounds(model):
    for kind in OBJECTIVES.kinds():
        OBJECTIVES[kind]
    for role in ROLES:
        for kind in role.kinds():
            role[kind]
    schema = model.model_json_schema()
    parts = {model.__name__: schema, **schema["$defs"]}
    found = [entry for name, part in parts.items() for entry in numbers(part, name)]
    assert len(found) > 30
    unbounded = {
        key
        for key, of in found
        if not ({"minimum", "exclusiveMinimum"} & of.keys() and {"maximum", "exclusiveMaximum"} & of.keys())
    }
    # these have a check of their own
    assert unbounded <= {"QualityRig.radius", "AlignmentRig.radius"}


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        ("a red ball\n\na blue cube\n", ""),
        ("a red ball\na red ball\n", "line 1"),
        ("a red ball\n\x1b[31m\n", "U+001B"),
    ],
)
def test_a_bad_prompt(refused, tmp_path, prompts, said):
    message = refused(tiny.config(tmp_path, prompts))
    assert message.startswith(f"sets.single.file: {tmp_path / 'prompts.txt'}: line 2: ") and said in message


@pytest.mark.parametrize(
    ("prompt", "shown"),
    [
        ('a "red" ball', r'"a \"red\" ball"'),
        ("a\u202e ball", r'"a\u202e ball"'),  # which would turn the rest of the line around
        ("a ball " * 300, '"a ball a ball a ball a ball a ball a ball a ball a ball ...'),
    ],
)
def test_a_prompt_that_the_judge_cannot_read(refused, tmp_path, prompt, shown):
    config = tiny.config(tmp_path, f"a red ball\n{prompt}\na blue cube\n")
    message = refused(config)
    assert message.startswith(f"sets.single.file: {tmp_path / 'prompts.txt'}: line 2: ")
    assert "'attributes'" in message and shown in message and f"'{GOOD_PROMPT}'" in message


def test_a_prompt_that_the_judge_can_read(jsdpipe, tmp_path):
    """The example of the message before."""
    config = tiny.config(tmp_path, f"{GOOD_PROMPT}\n")
    assert jsdpipe("check", tiny.write(tmp_path / "c.yaml", config))[0] == 0


@pytest.mark.parametrize(("key", "value"), [("threads", 2), ("gpu", 1)])
def test_joined_stages_that_need_different_things(refused, tmp_path, key, value):
    config = tiny.config(tmp_path) | {"joined": ["render", "quality"], "resources": {"quality": {key: value}}}
    assert refused(config).startswith("joined: render and quality differ in resources.quality." + key)


@pytest.mark.parametrize(
    ("joined", "jobs"),
    [
        ([], "generate mesh render quality alignment diversity"),
        (["mesh"], "generate mesh render quality alignment diversity"),
        (["quality", "render", "metrics"], "generate mesh render+quality alignment diversity"),
        (["mesh", "render", "diversity"], "generate mesh+render+diversity quality alignment"),
        (["quality", "alignment", "diversity"], "generate mesh render quality+alignment+diversity"),
    ],
)
def test_the_jobs_of_joined_stages(tmp_path, joined, jobs):
    """In the run's order, without the stages that the run leaves out."""
    config = resolve(tiny.config(tmp_path) | {"joined": joined}).config
    assert " ".join("+".join(job) for job in config.jobs) == jobs


def test_a_job_of_joined_stages_needs_the_most_memory_and_the_time_of_all(tmp_path):
    needs = {"render": {"mem_mb": 700, "runtime": 5}, "quality": {"mem_mb": 900, "runtime": 7}}
    config = resolve(tiny.config(tmp_path) | {"joined": ["render", "quality"], "resources": needs}).config
    need = config.need("render", "quality")
    assert (need.mem_mb, need.runtime) == (900, 12)


def test_a_wrong_key_in_an_override(refused, tmp_path):
    said = refused(changed(tiny.config(tmp_path), "methods/jsd/override", {"stepz": 1}))
    assert said.startswith("methods.jsd: ")
    assert "miniature/jsd.yaml" in said and "stepz: " in said and "'steps'" in said


def test_a_file_of_the_scoring_models_missing(refused, tmp_path, monkeypatch):
    """Before the hours of generation, not after them."""
    weights = tmp_path / "weights"
    shutil.copytree(WEIGHTS, weights)
    monkeypatch.setattr(settings, "WEIGHTS", weights)
    config = tiny.config(tmp_path)
    resolve(config)
    for name in sorted(path.name for path in (weights / "clip").iterdir()):
        (weights / "clip" / name).rename(tmp_path / "aside")
        assert refused(config).startswith(f"quality.reward: {weights / 'clip'}: {name} ")
        (tmp_path / "aside").rename(weights / "clip" / name)


def test_an_unreadable_file(refusal, tmp_path):
    (tmp_path / "list.yaml").write_text("[1, 2]")
    (tmp_path / "open.yaml").write_text("a: [1, 2")
    (tmp_path / "twice.yaml").write_text("run: a\nseed: 1\nrun: b\n")
    (tmp_path / "latin.yaml").write_bytes("run: é".encode("latin-1"))
    (tmp_path / "date.yaml").write_text("run: 2026-01-01")
    (tmp_path / "month.yaml").write_text("run: 2026-13-01")
    (tmp_path / "deep.yaml").write_text("[" * 5000)
    (tmp_path / "key.yaml").write_text("run: x\n? [a]\n: 1\n")
    (tmp_path / "mapping.yaml").write_text("run:\n  {a: b}: 1\n")
    (tmp_path / "bell.yaml").write_text("run: \a")
    for name, said in (
        ("none.yaml", "No such file"),
        ("", "Is a directory"),
        ("list.yaml", "mapping"),
        ("open.yaml", "line 1: "),
        ("twice.yaml", "line 3: .*'run'"),
        ("key.yaml", "line 2: "),
        ("mapping.yaml", "line 2: "),
        ("month.yaml", "date"),
        ("deep.yaml", "YAML"),
        ("bell.yaml", r"U\+0007 .*5"),
        ("latin.yaml", "UTF-8 .*5"),
        ("date.yaml", "date"),
    ):
        assert re.match(f"{tmp_path / name}: .*{said}", refusal("check", tmp_path / name))


def test_a_model_folder_with_a_file_missing(refused, tmp_path):
    folder = tiny_models.diffusion(tmp_path / "model")
    config = changed(tiny.config(tmp_path), "prior/model", str(folder))
    resolve(config)
    for name in ("scheduler/scheduler_config.json", "unet/diffusion_pytorch_model.safetensors"):
        (folder / name).rename(tmp_path / "aside")
        assert refused(config).startswith(f"prior.model: {folder}: {name} ")
        (tmp_path / "aside").rename(folder / name)
    shutil.rmtree(folder / "tokenizer")
    assert "tokenizer/tokenizer.json or tokenizer/vocab.json" in refused(config)


def test_whatever_stands_in_a_configuration_ends_in_one_line(refused, tmp_path):
    """Every value of the configuration replaced by something else."""
    config = tiny.config(tmp_path)

    def places(value: Any, above: tuple[str, ...] = ()) -> Any:
        for key, below in value.items() if isinstance(value, dict) else ():
            yield "/".join((*above, key))
            yield from places(below, (*above, key))

    for key in places(config):
        if "/override" in key:
            continue  # of a recipe
        assert refused(changed(config, key, {"a": [None]})).startswith(key.replace("/", "."))


def test_the_default_configuration_names_every_key(monkeypatch):
    """config.yaml is where keys are looked up."""
    monkeypatch.chdir(Path(__file__).parents[2])
    config = resolve(Path("config.yaml")).config
    assert config.model_dump().keys() == config.model_fields_set
    assert set(config.resources) == {"generate", "mesh", "render", "quality", "alignment", "diversity", "report"}
    for section in ("prior", "generation", "mesh", "render", "report"):
        of = getattr(config, section)
        assert of.model_dump().keys() == of.model_fields_set, section
