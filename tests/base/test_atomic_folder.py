"""A folder that is whole or as it was."""

import pytest

from jsdpipe.base.files import atomic_folder


def test_replaces_the_whole_folder(tmp_path):
    path = tmp_path / "deep" / "folder"
    for name in ("a", "b"):
        with atomic_folder(path) as folder:
            (folder / name).write_text(name)
    assert [p.name for p in path.iterdir()] == ["b"]
    assert [p.name for p in path.parent.iterdir()] == ["folder"]


def test_an_error_leaves_the_old_folder(tmp_path):
    path = tmp_path / "folder"
    with atomic_folder(path) as folder:
        (folder / "old").touch()
    with pytest.raises(RuntimeError), atomic_folder(path) as folder:
        (folder / "new").touch()
        raise RuntimeError
    assert [p.name for p in path.iterdir()] == ["old"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path):
    old = tmp_path / ".folder.old"
    old.mkdir()
    (old / "kept").touch()
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "folder"):
        raise RuntimeError
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["kept"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_what_a_kill_after_them_left_is_removed(tmp_path):
    for name in ("folder", ".folder.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    with atomic_folder(tmp_path / "folder") as folder:
        (folder / "new").touch()
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_what_a_killed_process_left_is_not_taken_over(tmp_path):
    left = tmp_path / ".folder.new"
    left.mkdir()
    (left / "half").touch()
    with atomic_folder(tmp_path / "folder") as folder:
        (folder / "whole").touch()
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["whole"]
