import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from voxel_scenes import voxel_scene

from jsdpipe.base.errors import UserError
from jsdpipe.scene.files import load, save


def test_a_saved_scene_comes_back(tmp_path):
    ours = voxel_scene()
    save(tmp_path / "scene.safetensors", ours)
    field = load(tmp_path / "scene.safetensors")
    points = torch.randn(50, 3)
    assert field.bound == 1.2
    assert torch.allclose(field.density(points), ours.density(points), rtol=2e-2)
    assert torch.allclose(field.albedo(points), ours.albedo(points), atol=2e-3)
    assert not field.density(points).requires_grad
    with safe_open(tmp_path / "scene.safetensors", "pt") as file:
        described = json.loads(file.metadata()["scene"])
    assert described == {"version": "1", "field": ours.settings.model_dump()}
    assert [path.name for path in tmp_path.iterdir()] == ["scene.safetensors"]


def test_the_same_scene_gives_the_same_bytes(tmp_path):
    for i in range(5):
        save(tmp_path / f"{i}.safetensors", voxel_scene())
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_what_is_no_scene_is_refused(tmp_path):
    path = tmp_path / "scene.safetensors"
    with pytest.raises(UserError, match=r"scene\.safetensors"):
        load(path)
    path.write_bytes(b"no scene")
    with pytest.raises(UserError, match=r"scene\.safetensors"):
        load(path)
    save(path, voxel_scene())
    save_file(load_file(path), path, {"scene": '{"version": "0"}'})
    with pytest.raises(UserError, match="version 0"):
        load(path)


def test_a_scene_can_be_read_by_whom_other_files_can(tmp_path):
    save(tmp_path / "scene.safetensors", voxel_scene())
    (tmp_path / "other").touch()
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1
