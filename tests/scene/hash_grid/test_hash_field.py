import json
from collections import defaultdict

import numpy as np
import pytest
import torch
from hash_fields import SETTINGS, hash_field, viewpoint
from pictures import solid
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from jsdpipe.base.errors import UserError
from jsdpipe.config.recipes import load_recipe
from jsdpipe.mesh.isosurface import extract
from jsdpipe.scene.files import load, save
from jsdpipe.scene.hash_grid.scene import HashGridBatch
from jsdpipe.scene.hash_grid.settings import FiniteDifferenceNormals, Progressive
from jsdpipe.scene.registry import build

POINTS = torch.tensor([[0.0, 0, 0], [0, 0.25, 0], [0, 0, 1.0], [1.3, 0, 0]])


def somewhere(count=30):
    return (torch.rand(count, 3, generator=torch.Generator().manual_seed(5)) - 0.5) * 1.2


def draws():
    """The generators of an asset."""
    return defaultdict(lambda: torch.Generator().manual_seed(0))


def test_density_and_albedo_of_the_blob_by_hand():
    field = hash_field(spread=0.0)
    raw = np.array([5.0, 2.5, -5.0])  # 5 (1 - |x| / 0.5)
    expected = [*np.log1p(np.exp(raw)), 0.0]
    assert field.density(POINTS).tolist() == pytest.approx(expected, rel=1e-5)
    assert field.albedo(POINTS).tolist() == [[0.5] * 3] * 4


def test_the_networks_by_hand():
    field, points = hash_field(), somewhere(5)
    with torch.no_grad():
        encoded = field.encoding(points / 2.4 + 0.5).numpy()  # the cube [-1.2, 1.2]^3 as the unit cube
        outer, inner = (field.density_network[i].weight.numpy() for i in (2, 0))
        raw = np.maximum(encoded @ inner.T, 0) @ outer[0] + 5 * (1 - np.linalg.norm(points, axis=1) / 0.5)
        assert np.allclose(field.density(points).numpy(), np.log1p(np.exp(raw)), rtol=1e-4)


def test_all_at_once_is_the_same():
    field, points = hash_field(), somewhere()
    density, albedo, normals = field.surface(points, normals=True)
    assert torch.allclose(density, field.density(points))
    assert torch.allclose(albedo, field.albedo(points))
    assert torch.allclose(normals.norm(dim=-1), torch.ones(len(points)), atol=1e-5)
    assert field.surface(points, normals=False)[2] is None


def test_the_blobs_normals_point_outwards():
    points = somewhere()
    _, _, normals = hash_field(spread=0.0).surface(points, normals=True)
    assert torch.allclose(normals, torch.nn.functional.normalize(points, dim=-1), atol=1e-5)


def test_both_kinds_of_normals_agree():
    differences = FiniteDifferenceNormals(kind="finite_differences", epsilon=1e-3)
    points = somewhere()
    _, _, analytic = hash_field().surface(points, normals=True)
    _, _, finite = hash_field(normals=differences).surface(points, normals=True)
    # but where the differences reach over the faces of a cell
    assert ((analytic * finite).sum(dim=-1) > 0.999).float().mean() > 0.8


def test_each_asset_has_parameters_of_its_own():
    generators = [torch.Generator().manual_seed(s) for s in (0, 1)]
    first, second = build(SETTINGS, generators).scenes()
    (alone,) = build(SETTINGS, [torch.Generator().manual_seed(1)]).scenes()
    assert torch.equal(second.encoding.table, alone.encoding.table)
    assert not torch.equal(first.encoding.table, second.encoding.table)


@pytest.mark.parametrize("name", ["published/jsdlr", "published/jsdlr-surr"])
def test_learning_rates(name):
    background = load_recipe(name).field.background
    rates = {"lr": 0.1, "encoding_lr": 0.2} if background.kind == "hash_grid" else {"lr": 0.1}
    settings = {"encoding_lr": 0.3, "network_lr": 0.4, "background": background.model_copy(update=rates)}
    fields = HashGridBatch(SETTINGS.model_copy(update=settings), [torch.Generator(), torch.Generator()])
    names = {parameter: name for name, parameter in fields.named_parameters()}
    found = {names[p]: group["lr"] for group in fields.parameter_groups() for p in group["params"]}
    expected = {
        ".encoding.table": 0.3, ".density_network.": 0.4, ".albedo_network.": 0.4, ".background.network.": 0.1,
        ".background.encoding.": 0.2,
    }  # fmt: skip
    assert found.keys() == set(names.values())
    for name, rate in found.items():
        assert rate == [rate for part, rate in expected.items() if part in name][-1], name


def test_fields_without_normals_or_material():
    scene = hash_field(normals=None, material=None)
    rendering = scene.render_training(viewpoint(), 6, 9999, 16, draws(), normals=False)
    # as an unlit step of a scene that has them
    unlit = SETTINGS.material.model_copy(update={"lit_probability": 0.0})
    other = hash_field(material=unlit).render_training(viewpoint(), 6, 9999, 16, draws(), normals=False)
    assert rendering.normals is None
    assert torch.equal(rendering.rgb, other.rgb)
    assert scene.settings.available_regularizers == SETTINGS.regularizers - {"orientation", "convexity"}
    assert SETTINGS.available_regularizers == SETTINGS.regularizers


def test_levels_follow_the_step_and_the_occupancy_grid_its_own():
    progressive = Progressive(start_level=1, start_step=10, every=10)
    scene = hash_field(encoding=SETTINGS.encoding.model_copy(update={"progressive": progressive}))
    generators, opened = draws(), []
    for step in (7, 25, 200):
        scene.render_training(viewpoint(), 4, step, 8, generators, normals=False)
        opened.append(scene.encoding.open_levels)
    assert opened == [1, 2, 3]
    assert scene.steps == 3
    assert not scene.occupancy.occupied.all()  # updated in the first step, although 7 is no multiple of 16


class TestFiles:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "scene.safetensors"

    def test_a_saved_scene_comes_back(self, path):
        ours = hash_field()
        save(path, ours)
        field, points = load(path), somewhere()
        assert field.bound == 1.2
        assert torch.allclose(field.density(points), ours.density(points), rtol=1e-2)
        assert torch.allclose(field.albedo(points), ours.albedo(points), atol=2e-3)
        assert not field.density(points).requires_grad
        with safe_open(path, "pt") as file:
            assert json.loads(file.metadata()["scene"])["field"]["kind"] == "hash_grid"
        assert all(tensor.dtype == torch.half for tensor in load_file(path).values())

    def test_the_table_has_tiny_cuda_nns_layout(self, path):
        ours = hash_field()
        save(path, ours)
        # 4^3 entries, then twice 2^9, of 2 features
        assert load_file(path)["encoding.table"].shape == ((64 + 512 + 512) * 2,)

    def test_a_scene_with_closed_levels_comes_back(self, path):
        progressive = Progressive(start_level=1, start_step=0, every=100)
        ours = hash_field(encoding=SETTINGS.encoding.model_copy(update={"progressive": progressive}))
        whole = ours.density(somewhere())
        ours.encoding.open_levels = 2
        save(path, ours)
        density = ours.density(somewhere())
        assert torch.allclose(load(path).density(somewhere()), density, rtol=1e-2)
        assert not torch.allclose(whole, density, rtol=0.1)

    def test_a_scene_of_other_names_or_shapes_is_refused(self, path):
        save(path, hash_field())
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
        tensors = load_file(path)
        save_file(tensors | {"encoding.table": tensors["encoding.table"][:8]}, path, metadata)
        with pytest.raises(UserError, match=r"scene\.safetensors: "):
            load(path)

    def test_its_surface(self, path):
        save(path, hash_field(spread=0.0))
        # softplus(5 (1 - r / 0.5)) = softplus(2.5) at r = 0.25
        mesh, _ = extract(load(path), 40, threshold=float(np.log1p(np.exp(2.5))))
        assert solid(mesh).is_watertight
        assert np.linalg.norm(mesh.vertices, axis=1) == pytest.approx(0.25, abs=5e-3)
