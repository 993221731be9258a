"""How often a step waits for the device, and how many operations it starts there, counted on the pretended device."""

import pytest
import tiny
import tiny_models
from pretend_device import COUNTS, NAME, pretended

from jsdpipe.config.recipes import load_recipe
from jsdpipe.generation.loop import Subject, optimize
from jsdpipe.prior.prior import load_prior

KINDS = ("sdi", "jsd", "sds", "sjc", "csd", "nfsd", "ism", "vsd", "sim", "asd-asynchronous", "asd-adversarial")
VOXELS = {"field": {"resolution": 8}, "cameras": {"size": 16, "samples_per_ray": 8}}
LATENT_VOXELS = {
    "field": {"resolution": 8, "background_resolution": 4}, "cameras": {"size": 8, "samples_per_ray": 8},
}  # fmt: skip
STEPS = 5  # of which the first prepares, and the fifth measures the regularizers' gradient


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(tiny_models.diffusion(tmp_path_factory.mktemp("prior") / "tiny", tiny_vae=True))


def counted(model, name, override, assets):
    """The waits of each step after the first, and the operations outside the U-Net."""
    recipe, counts = load_recipe(name, override | {"steps": STEPS}), []

    def advance(steps=1):
        counts.append((dict(COUNTS.waits), sum(COUNTS.operations.values())))
        COUNTS.clear()

    with pretended():
        prior = load_prior(model, device=NAME)
        forward = prior.unet.forward

        def uncounted(*arguments, **more):
            with COUNTS.pause():
                return forward(*arguments, **more)

        prior.unet.forward = uncounted
        optimize([Subject("a ball", ("ball", i)) for i in range(assets)], recipe, prior, advance)
    return zip(*counts[1:], strict=True)


@pytest.mark.parametrize(
    ("name", "override"),
    [
        *((f"miniature/{kind}", VOXELS) for kind in KINDS),
        ("published/jsdlr", tiny.HASH_GRID),
        ("published/sjc", LATENT_VOXELS),
    ],
)
def test_a_step_waits_at_most_twice_however_many_assets(model, name, override):
    waits, _ = counted(model, name, override, assets=3)
    for of_step in waits:
        assert sum(of_step.values()) <= 2, of_step


# half the mean of steps when each asset was rendered by itself, and each corner of a cell read and written by itself;
# of 826 operations of SDS on one asset of voxels 440 are left, most of them the autoencoder's and the loop's
MOST = {
    ("miniature/jsd", 1): 571, ("miniature/jsd", 4): 1545, ("miniature/sds", 1): 440, ("miniature/sds", 4): 1387,
    ("controlled/jsd", 1): 1971, ("controlled/jsd", 4): 6910, ("controlled/sds", 1): 1729, ("controlled/sds", 4): 6668,
}  # fmt: skip


@pytest.mark.parametrize(("name", "assets"), MOST)
def test_operations_outside_the_u_net(model, name, assets):
    small = VOXELS if name.startswith("miniature") else tiny.HASH_GRID
    _, operations = counted(model, name, small, assets)
    assert sum(operations) / len(operations) <= MOST[name, assets]
