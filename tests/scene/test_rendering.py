import pytest
import torch

from jsdpipe.scene.rendering import intersect_ball, intersect_cube


def test_where_rays_meet_the_ball():
    origins = torch.tensor([[3.0, 0, 0], [3, 0, 0], [0, 0, 0.5], [3, 0, 0]])
    directions = torch.tensor([[-1.0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]])
    near, far = intersect_ball(origins, directions, 1.0)
    assert near.tolist() == [2, 0, 0, 0]
    assert far.tolist() == [4, 0, 0.5, 0]


def test_where_rays_meet_the_cube():
    origins = torch.tensor([[3.0, 0, 0], [3, 0, 0], [0, 0, 0.5], [3, 0, 0], [2, 2, 0.5], [2, 1, 0]])
    slanted = 0.5**0.5
    directions = torch.tensor([[-1.0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0], [-slanted, -slanted, 0], [-1, 0, 0]])
    near, far = intersect_cube(origins, directions, 1.0)
    # the fifth along a diagonal; the last touches a face
    assert near[[0, 2, 4]].tolist() == pytest.approx([2, 0, 2**0.5])
    assert far[[0, 2, 4]].tolist() == pytest.approx([4, 0.5, 3 * 2**0.5])
    assert torch.equal(near[[1, 3, 5]], far[[1, 3, 5]])
