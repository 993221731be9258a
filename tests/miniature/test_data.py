import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from jsdpipe.base.errors import UserError
from jsdpipe.miniature import data
from jsdpipe.miniature.grammar import Description, Thing, parse


def small(monkeypatch, tmp_path, count=32):
    monkeypatch.setattr(data, "CHUNK", 32)
    data.render(tmp_path, count)
    return tmp_path


def test_chunks_are_the_same_bytes_and_kept(monkeypatch, tmp_path):
    first = small(monkeypatch, tmp_path / "a", 64)
    again = small(monkeypatch, tmp_path / "b", 32)
    assert [p.name for p in sorted(first.iterdir())] == ["chunk-000.safetensors", "chunk-001.safetensors"]
    kept = (first / "chunk-000.safetensors").stat().st_mtime_ns
    assert (first / "chunk-000.safetensors").read_bytes() == (again / "chunk-000.safetensors").read_bytes()
    data.render(first, 64)
    assert (first / "chunk-000.safetensors").stat().st_mtime_ns == kept


def test_training_never_sees_the_held_out_pairs(monkeypatch, tmp_path):
    folder = small(monkeypatch, tmp_path, 64)
    train, held_out = data.load(folder, held_out=False), data.load(folder, held_out=True)
    assert len(train) + len(held_out) == 64
    pairs = set(data.held_out_pairs())
    assert 5 <= len(pairs) <= 40
    assert not any((t.kind, t.color) in pairs for d in train.descriptions for t in d.things)
    assert all(any((t.kind, t.color) in pairs for t in d.things) for d in held_out.descriptions)
    with safe_open(folder / "chunk-000.safetensors", framework="pt") as file:
        assert file.get_tensor("albedo").shape == (32, 64, 64, 3)


def test_chunks_of_another_version_are_refused(monkeypatch, tmp_path):
    folder = small(monkeypatch, tmp_path)
    (path,) = folder.iterdir()
    with safe_open(path, framework="pt") as file:
        kept = {name: file.get_tensor(name) for name in file.keys() if name != "visible"}  # noqa: SIM118
        metadata = file.metadata()
    save_file(kept, path, metadata)
    with pytest.raises(UserError, match=r"chunk-000\..*visible"):
        data.load(folder, held_out=False)


def test_what_is_seen_is_kept_with_the_pictures(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "FORMS", {"surr": 1.0})
    pictures = data.load(small(monkeypatch, tmp_path, 64), held_out=False)
    assert pictures.solid.shape[1:] == (32, 32)
    from_below = pictures.elevation < -45
    assert from_below.any()
    assert (pictures.visible[:, 1] > pictures.visible[:, 0])[from_below].all()
    for solid in (0, 1):
        shown = (pictures.solid == solid).flatten(1).any(dim=1)
        assert (shown == (pictures.visible[:, solid] > 0))[pictures.visible[:, solid] > 0.1].all()


def test_pictures_are_composed_flat_on_black_or_lit_on_a_pale_background(monkeypatch, tmp_path):
    pictures = data.load(small(monkeypatch, tmp_path), held_out=False)
    index = torch.arange(len(pictures))
    flat = pictures.compose(index, torch.Generator().manual_seed(0), unlit_on_black=1.0)
    torch.testing.assert_close(
        flat, pictures.albedo[index].float() / 255 * (pictures.coverage[index].float() / 255)[..., None]
    )
    lit = pictures.compose(index, torch.Generator().manual_seed(0))
    corner = lit[:, 0, 0][pictures.coverage[index][:, 0, 0] == 0]
    assert float(corner.min()) >= 0.55


def test_view_suffixes_follow_the_limits():
    assert [data.view_suffix(a, 0) for a in (0, 44, -44, 46, -90, 134, 136, 180, -136)] == [
        ", front view", ", front view", ", front view", ", side view", ", side view", ", side view",
        ", back view", ", back view", ", back view",
    ]  # fmt: skip
    assert data.view_suffix(0, 61) == ", overhead view"


def test_captions_leave_attributes_out_but_never_lie():
    whole = Description((Thing("ball", "red", "striped"), Thing("cube", "blue", "spotted")), relation="and")
    draw = torch.Generator().manual_seed(0)
    seen = {data.random_caption(whole, draw, drop=0.5) for _ in range(200)}
    assert len(seen) == 16
    for text in seen:
        for thing, true in zip(parse(text).things, whole.things, strict=True):
            assert thing.kind == true.kind
            assert thing.color in (None, true.color)
            assert thing.pattern in (None, true.pattern)
