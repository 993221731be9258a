"""The optimization of latent voxels; what all scenes share is in test_generation.py."""

import numpy as np
import pytest
import tiny_models
import torch
from diffusers import AutoencoderKL
from latent_scenes import FIELD, OFF, latent_scene
from pictures import solid
from PIL import Image
from toys import towards

from jsdpipe.base.errors import UserError
from jsdpipe.config.recipes import load_recipe
from jsdpipe.generation import generate_one
from jsdpipe.generation.asset import preview
from jsdpipe.generation.loop import Subject, optimize
from jsdpipe.mesh.isosurface import extract
from jsdpipe.prior.prior import load_prior
from jsdpipe.scene.cameras import turntable
from jsdpipe.scene.files import load
from jsdpipe.scene.latent_voxels.scene import TO_RGB


def recipe(steps=3, size=tiny_models.LATENT, **regularizers):
    return load_recipe(
        "controlled/sjc",
        {
            "steps": steps,
            "field": FIELD,
            "posterior": None,
            "cameras": {"size": size, "samples_per_ray": 16, "distance": [1.5, 1.5]},
            "regularizers": OFF | regularizers,
        },
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_models.diffusion(tmp_path_factory.mktemp("prior") / "tiny")


@pytest.fixture(scope="module")
def prior(folder):
    return load_prior(str(folder))


def nothing(steps=1, note=""):
    pass


def test_latents_go_where_the_prior_is_without_an_autoencoder(prior):
    toy = towards([0.8, -0.4, 0.2, -1.0], prior, side=8)
    toy.vae = None
    (outcome,) = optimize([Subject("a ball", ("ball",))], recipe(60), toy, nothing)
    assert outcome.reason is None
    found = outcome.scene.render(turntable(recipe().cameras, 3), 8, 16)
    solid_rays = found.rgb[found.opacity > 0.9]
    assert len(solid_rays) > 10
    assert torch.allclose(solid_rays.mean(dim=0), torch.tensor([0.8, -0.4, 0.2, -1.0]), atol=0.2)


def test_emptiness_empties(prior):
    toy = towards([0.0] * 4, prior, side=8)
    opacity = []
    for weight in (0.0, 1e4):
        (outcome,) = optimize([Subject("a ball", ("ball",))], recipe(20, emptiness=weight), toy, nothing)
        opacity.append(outcome.scene.render(turntable(recipe().cameras, 3), 8, 16).opacity.mean())
    assert opacity[1] < 0.5 * opacity[0]


def test_the_preview_is_decoded(folder, prior):
    scene, settings = latent_scene(), recipe()
    row, opacity = preview(scene, settings, prior, 3)
    rendering = scene.render(turntable(settings.cameras, 3), 8, 16)
    latents = rendering.rgb.detach().view(3, 8, 8, 4).permute(0, 3, 1, 2)
    vae = AutoencoderKL.from_pretrained(folder, subfolder="vae")
    with torch.no_grad():
        images = (vae.decode(latents / 0.5).sample / 2 + 0.5).clamp(0, 1)
    expected = np.concatenate((images * 255).permute(0, 2, 3, 1).numpy(), axis=1)
    assert row.shape == (32, 96, 3)
    assert np.abs(row - expected).max() <= 0.51
    assert opacity == rendering.opacity.max().item()


def test_files_preview_and_a_mesh_with_colors(prior, tmp_path):
    settings = recipe(emptiness=[1, 1.0, 20.0, 2])
    assert generate_one("a ball", settings, prior, 0, tmp_path, "code", preview_views=3) is None
    assert Image.open(tmp_path / "preview.png").size == (96, 32)
    scene = load(tmp_path / "scene.safetensors")
    mesh, _ = extract(scene, 24, "auto")
    assert solid(mesh).is_watertight
    points = torch.from_numpy(mesh.vertices).float()
    cells = ((points + 1) * 4 - 0.5).clamp(0, 7)
    at = (cells / 3.5 - 1)[None, :, None, None]
    grid = scene.tensors()["latents"][None]
    latents = torch.nn.functional.grid_sample(grid, at, align_corners=True)[0, :, :, 0, 0].T
    colors = ((latents @ torch.tensor(TO_RGB) + 1) / 2).clamp(0, 1) * 255
    assert np.abs(mesh.colors - colors.numpy()).max() <= 1


@pytest.mark.parametrize(("size", "channels", "word"), [(16, 4, "cameras.size: 16"), (8, 3, "field.kind: ")])
def test_a_prior_of_other_latents_is_refused(prior, tmp_path, size, channels, word):
    toy = towards([0.0] * channels, prior, side=8)
    with pytest.raises(UserError, match=rf"^{word}.*\btoy\b"):
        generate_one("a ball", recipe(size=size), toy, 0, tmp_path / "asset", "code")
    assert not (tmp_path / "asset").exists()
