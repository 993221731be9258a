import pytest

from jsdpipe.base.files import try_writing


def test_trying_to_write_leaves_nothing(tmp_path):
    try_writing(tmp_path)
    try_writing(tmp_path / "not/there/yet")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_to_is_told_without_a_trace(tmp_path):
    (tmp_path / "file").touch()
    for place in ("file", "file/below", "file/far/below"):
        with pytest.raises(NotADirectoryError):
            try_writing(tmp_path / place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
