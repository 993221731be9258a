import hashlib
from pathlib import Path

import pytest
import yaml

FOLDER = Path("prompts/mine")
T3BENCH = Path(__file__).parents[3] / "shared" / "t3bench"


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A file of sources, and a folder with its two files; an empty working directory."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    contents = {"one.txt": b"a\nb\n", "two.txt": "é\n".encode()}
    origin = tmp_path / "origin"
    origin.mkdir()
    for name, content in contents.items():
        (origin / name).write_bytes(content)
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    source = {"repository": "r", "commit": "0" * 40, "license": "none", "address": f"{origin.as_uri()}/{{file}}"}
    path = tmp_path / "sources.yaml"
    path.write_text(yaml.safe_dump({"sources": {"mine": source | {"files": files}}}))
    return path, origin


@pytest.mark.parametrize("local", [True, False])
def test_files_are_fetched_once(jsdpipe, sources, local):
    path, origin = sources
    arguments = ["prompts", "fetch", "mine", "--sources", path, *(["--from", origin] if local else [])]
    status, out, _ = jsdpipe(*arguments)
    assert status == 0
    assert len(out.splitlines()) == 2
    assert (FOLDER / "one.txt").read_bytes() == b"a\nb\n"
    before = [path.stat().st_mtime_ns for path in FOLDER.iterdir()]
    assert jsdpipe(*arguments)[0] == 0
    assert [path.stat().st_mtime_ns for path in FOLDER.iterdir()] == before


def test_a_wrong_hash_is_refused_and_nothing_is_written(refusal, sources):
    path, origin = sources
    (origin / "two.txt").write_bytes(b"e\n")
    said = refusal("prompts", "fetch", "mine", "--sources", path, "--from", origin)
    assert f"{origin / 'two.txt'}: " in said and hashlib.sha256(b"e\n").hexdigest() in said
    assert not FOLDER.exists()


def test_a_changed_file_is_fetched_again(jsdpipe, sources):
    path, origin = sources
    jsdpipe("prompts", "fetch", "mine", "--sources", path, "--from", origin)
    (FOLDER / "one.txt").write_text("changed")
    _, out, _ = jsdpipe("prompts", "fetch", "mine", "--sources", path, "--from", origin)
    assert out.split() == [str(FOLDER / "one.txt")]
    assert (FOLDER / "one.txt").read_bytes() == b"a\nb\n"


def test_what_is_out_of_reach_is_named(refusal, sources, tmp_path):
    path, origin = sources
    (origin / "one.txt").unlink()
    for arguments, said in (
        (["mine"], "/one.txt: "),
        (["mine", "--from", origin], f"{origin / 'one.txt'}: "),
        (["yours"], "'yours'"),
    ):
        assert said in refusal("prompts", "fetch", *arguments, "--sources", path)
    assert "none.yaml" in refusal("prompts", "fetch", "mine", "--sources", tmp_path / "none.yaml")


@pytest.mark.parametrize("out", ["file", "file/below", "x" * 300, "/proc/none"])
def test_what_cannot_be_written_is_named(refusal, sources, out):
    path, origin = sources
    Path("file").write_text("in the way")
    said = refusal("prompts", "fetch", "mine", "--sources", path, "--from", origin, "--out", out)
    assert f"{out}/one.txt: " in said and "--out" in said
    assert [path.name for path in Path().iterdir()] == ["file"]


@pytest.mark.skipif(not T3BENCH.is_dir(), reason="T3Bench's prompts are not at hand")
def test_the_prompts_of_t3bench(jsdpipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, _ = jsdpipe("prompts", "fetch", "t3bench", "--from", T3BENCH)
    assert status == 0
    assert sum(len(Path(path).read_text().splitlines()) for path in out.split()) == 300
