"""Hashes of files that are read once, and again when they may have changed."""

import hashlib
import os
import shutil
from concurrent.futures import ProcessPoolExecutor

import pytest

from jsdpipe.base.errors import UserError
from jsdpipe.pipeline import contents
from jsdpipe.pipeline.contents import Hashes


@pytest.fixture
def reads(monkeypatch):
    """The names of the files that are read."""
    read, plain = [], contents.sha256
    monkeypatch.setattr(contents, "sha256", lambda path: read.append(path.name) or plain(path))
    return read


def of(content):
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_read_once_over_processes_and_again_when_it_is_replaced(tmp_path, reads):
    file, kept = tmp_path / "a.glb", tmp_path / "kept"
    file.write_bytes(b"one")
    os.utime(file, (10**9, 10**9))
    for _ in range(2):
        hashes = Hashes(kept)  # as another process has it
        assert [hashes.of(file), hashes.of(file)] == [of(b"one")] * 2
    assert reads == ["a.glb"]
    # another of the same size and the same time stamp, as archives with one time for all files bring it
    (tmp_path / "b.glb").write_bytes(b"two")
    os.utime(tmp_path / "b.glb", (10**9, 10**9))
    shutil.copy2(tmp_path / "b.glb", file)
    assert file.stat().st_mtime == 10**9
    assert [hashes.of(file), Hashes(kept).of(file)] == [of(b"two")] * 2
    assert reads == ["a.glb"] * 2


def test_a_large_file_that_is_read_is_named(tmp_path, monkeypatch, capsys):
    (tmp_path / "a").write_bytes(b"one")
    monkeypatch.setattr(contents, "LARGE", 3)
    hashes = Hashes(tmp_path / "kept")
    for said in (1, 0):
        hashes.of(tmp_path / "a")
        assert capsys.readouterr().err.count(str(tmp_path / "a")) == said


def test_what_is_kept_may_be_broken_or_impossible(tmp_path, reads):
    file, kept = tmp_path / "a.glb", tmp_path / "kept"
    file.write_bytes(b"one")
    Hashes(kept).of(file)
    whole = kept.read_bytes()
    for broken in (whole[:-9], b"\xff\n7\n[]\n", b""):
        kept.write_bytes(broken)
        assert Hashes(kept).of(file) == of(b"one")
    kept.write_bytes(b"[1\n" + whole)
    reads.clear()
    assert Hashes(kept).of(file) == of(b"one") and reads == []
    for nowhere in (tmp_path / "none/kept", tmp_path):
        assert Hashes(nowhere).of(file) == of(b"one")
    with pytest.raises(UserError, match="gone"):
        Hashes(kept).of(tmp_path / "gone")


def _hash_all(arguments):
    kept, files = arguments
    return [Hashes(kept).of(file) for file in files]


def test_several_processes_keep_whole_lines(tmp_path, reads):
    files = [tmp_path / f"{index:0200d}" for index in range(40)]
    for index, file in enumerate(files):
        file.write_bytes(bytes([index]))
    kept = tmp_path / "kept"
    with ProcessPoolExecutor(4) as pool:
        found = list(pool.map(_hash_all, [(kept, files)] * 4))
    assert found == [[of(bytes([index])) for index in range(40)]] * 4
    reads.clear()
    hashes = Hashes(kept)
    assert [hashes.of(file) for file in files] == found[0] and reads == []
