"""Counted U-Net work, beside what loops take, and by hand."""

import pytest
import tiny_models

from jsdpipe.config.recipes import load_recipe, names
from jsdpipe.generation.loop import Subject, optimize
from jsdpipe.generation.unet_work import UNetWork, unet_work
from jsdpipe.prior.prior import load_prior

SMALL = {"field": {"resolution": 8}, "cameras": {"size": 16, "samples_per_ray": 8}, "steps": 4}
# ISM draws timesteps, and with them the steps of its inversion, so its mean is open
SURE = [name for name in names() if name.startswith("miniature/") and not name.endswith("/ism")]


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    return load_prior(str(tiny_models.diffusion(tmp_path_factory.mktemp("prior") / "tiny", tiny_vae=True)))


@pytest.mark.parametrize("name", SURE)
def test_as_many_samples_as_the_loop_takes(prior, name):
    recipe = load_recipe(name, SMALL)
    before = prior.unet_samples
    steps = 16  # of four nominal ones each
    optimize([Subject("a", ("a", 0))], recipe, prior, lambda steps=1, note="": None, steps)
    assert unet_work(recipe).forward == pytest.approx((prior.unet_samples - before) / steps, rel=0.1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("published/sds", UNetWork(2, 0)),  # text and null
        ("controlled/sds", UNetWork(4, 0)),  # and Perp-Neg's two negatives
        ("published/vsd", UNetWork(4, 1)),  # text, null, the adapter twice, and its training
        ("published/asd-adversarial", UNetWork(9, 1)),  # four, the adapter twice, text and negatives; its training
        ("published/csd", UNetWork(4.5, 0)),  # five in the first half of the run, four in the second
    ],
)
def test_by_hand(name, expected):
    assert unet_work(load_recipe(name)) == expected


def test_sim_goes_back_through_what_it_predicts():
    work = unet_work(load_recipe("miniature/sim", {"objective": {"until": 1.0}}))
    assert work == UNetWork(4, 4)  # text, null and the adapter, for the gradient; the adapter's training


def test_views_count():
    one, two = (unet_work(load_recipe("miniature/sds", {"views_per_step": n})) for n in (1, 2))
    assert (one.forward, two.forward) == (2, 4)
