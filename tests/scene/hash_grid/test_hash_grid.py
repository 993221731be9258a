import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from jsdpipe.config.recipes import load_recipe
from jsdpipe.scene.hash_grid.encoding import HashEncoding, levels_of, levels_open_at
from jsdpipe.scene.hash_grid.settings import FieldHashGrid, HashGrid, Progressive

SMALL = HashGrid(levels=3, features=2, log2_table=7, base_resolution=3, growth=2.0)


def encoding(settings=SMALL, seed=0, spread=1.0):
    made = HashEncoding(settings, torch.Generator().manual_seed(seed)).double()
    with torch.no_grad():
        made.table.uniform_(-spread, spread, generator=torch.Generator().manual_seed(seed))
    return made


def by_hand(settings, table, point):
    """Instant-ngp's section 3 in plain Python, of one point, with tiny-cuda-nn's half cell and sizes of tables."""
    found, begin = [], 0
    for level in range(settings.levels):
        scale = settings.base_resolution * settings.growth**level - 1
        side = math.ceil(scale) + 1
        entries = min(math.ceil(side**3 / 8) * 8, 2**settings.log2_table)
        cell = [math.floor(x * scale + 0.5) for x in point]
        far = [x * scale + 0.5 - c for x, c in zip(point, cell, strict=True)]
        sums = np.zeros(settings.features)
        for corner in itertools.product((0, 1), repeat=3):
            x, y, z = (c + up for c, up in zip(cell, corner, strict=True))
            index = x + side * y + side**2 * z
            if side**3 > entries:
                index = np.uint32(x) ^ np.uint32(y * 2654435761 % 2**32) ^ np.uint32(z * 805459861 % 2**32)
            share = math.prod(f if up else 1 - f for f, up in zip(far, corner, strict=True))
            sums += share * table[begin + int(index) % entries]
        found += sums.tolist()
        begin += entries
    return found


def test_the_levels_of_the_public_recipe():
    levels = levels_of(load_recipe("published/jsdlr").field.encoding)
    assert len(levels) == 16
    assert (levels[0].scale, levels[0].resolution, levels[0].entries) == (15, 16, 4096)
    # 16 * 1.447269237440378 - 1 = 22.16: 24 points, 24^3 entries
    assert (levels[1].resolution, levels[1].entries, levels[1].hashed) == (24, 13824, False)
    assert levels[-1].scale == pytest.approx(4095)
    assert (levels[-1].entries, levels[-1].hashed) == (2**19, True)


def test_the_levels_of_the_surroundings():
    levels = levels_of(load_recipe("published/jsdlr-surr").field.background.encoding)
    assert [level.resolution for level in levels] == [4, 16, 64, 256]
    assert [level.entries for level in levels] == [64, 4096, 64**3, 2**19]


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_features_are_those_of_the_paper(point):
    ours = encoding()
    table = ours.table.detach().view(-1, 2).numpy()
    with torch.no_grad():
        found = ours(torch.tensor([point], dtype=torch.double))[0]
    assert found.tolist() == pytest.approx(by_hand(SMALL, table, point), abs=1e-9)


def test_both_kinds_of_level_are_tried():
    # 3^3 = 27 in 32 entries; 6^3 = 216 and 12^3 = 1728 in 128
    assert [(level.entries, level.hashed) for level in levels_of(SMALL)] == [(32, False), (128, True), (128, True)]


def test_a_dense_level_reproduces_what_is_linear():
    settings = HashGrid(levels=1, features=1, log2_table=12, base_resolution=8, growth=1.0)
    ours = encoding(settings)
    # entry (x, y, z) lies at the position x = 7 p + 0.5
    z, y, x = torch.meshgrid(*(torch.arange(8.0, dtype=torch.double),) * 3, indexing="ij")
    with torch.no_grad():
        ours.table.copy_((2 * x - 3 * y + 0.5 * z).flatten())
        points = torch.rand(50, 3, dtype=torch.double, generator=torch.Generator().manual_seed(0)) * 0.9
        place = points * 7 + 0.5
        assert torch.allclose(ours(points)[:, 0], place @ torch.tensor([2, -3, 0.5], dtype=torch.double))


def test_first_and_second_derivatives():
    ours = encoding()
    points = torch.rand(4, 3, dtype=torch.double, generator=torch.Generator().manual_seed(1)).requires_grad_()

    def features(points, table):
        return torch.func.functional_call(ours, {"table": table}, (points,))

    assert torch.autograd.gradcheck(features, (points, ours.table), fast_mode=True)
    assert torch.autograd.gradgradcheck(features, (points, ours.table), fast_mode=True)


def test_first_features_are_small_and_their_generators():
    first, again, other = (HashEncoding(SMALL, torch.Generator().manual_seed(s)).table for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0.9e-4 < first.abs().max() <= 1e-4


def test_no_points():
    assert encoding()(torch.empty(0, 3, dtype=torch.double)).shape == (0, 6)


def test_levels_open_as_in_threestudio():
    public = load_recipe("published/jsdlr").field.encoding
    progressive = Progressive(start_level=8, start_step=2000, every=500)
    settings = FieldHashGrid(**public.model_dump(exclude={"progressive"}), progressive=progressive)
    steps = (0, 2000, 2499, 2500, 2999, 3000, 5999, 6000, 9999)
    assert [levels_open_at(settings, step) for step in steps] == [8, 8, 8, 9, 9, 10, 15, 16, 16]
    assert levels_open_at(public, 0) == 16


def test_closed_levels_give_zeros_and_learn_nothing():
    ours, points = encoding(), torch.rand(20, 3, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    whole = ours(points).detach()
    ours.open_levels = 2
    found = ours(points)
    assert torch.equal(found[:, :4], whole[:, :4])
    assert found.shape == (20, 6) and found[:, 4:].abs().max() == 0
    found.square().sum().backward()
    # of the 32, 128 and 128 entries of two features each
    assert ours.table.grad[: 2 * 160].abs().max() > 0
    assert ours.table.grad[2 * 160 :].abs().max() == 0
    stored = encoding()
    stored.load_state_dict({"table": ours.open_table()})
    assert torch.equal(stored(points), found)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_tiny_cuda_nn_gives_the_same_features():
    tinycudann = pytest.importorskip("tinycudann")
    ours = encoding().float()
    config = {
        "otype": "HashGrid", "n_levels": 3, "n_features_per_level": 2, "log2_hashmap_size": 7, "base_resolution": 3,
        "per_level_scale": 2.0,
    }  # fmt: skip
    theirs = tinycudann.Encoding(3, config, dtype=torch.float32)
    theirs.params = torch.nn.Parameter(ours.table.cuda())
    points = torch.rand(200, 3, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(theirs(points.cuda()).cpu(), ours(points), atol=1e-3)
