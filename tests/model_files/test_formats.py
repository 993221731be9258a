"""The files of models: their hash, wherever they lie."""

import hashlib

from jsdpipe.model_files.formats import NETWORK


def test_the_hash_of_the_hub_s_cache_is_that_of_the_same_files_in_a_folder(tmp_path):
    """The cache's layout: files link to blobs, large ones named by their SHA-256, small ones by their Git hash."""
    folder, snapshot, blobs = tmp_path / "folder", tmp_path / "cache/snapshots/1a2b", tmp_path / "cache/blobs"
    for place in (folder, snapshot, blobs):
        place.mkdir(parents=True)
    contents = {"model.safetensors": b"weights", "config.json": b"{}"}
    names = {
        "model.safetensors": hashlib.sha256(b"weights").hexdigest(),
        "config.json": "9e26dfeeb6e641a33dae4961196235bdb965b21b",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        (blobs / names[name]).write_bytes(content)
        (snapshot / name).symlink_to(f"../../blobs/{names[name]}")
    assert NETWORK.digest(snapshot) == NETWORK.digest(folder)
    (blobs / names["model.safetensors"]).write_bytes(b"something that takes long to read")
    assert NETWORK.digest(snapshot) == NETWORK.digest(folder)
    (blobs / names["config.json"]).write_bytes(b'{"a": 1}')
    assert NETWORK.digest(snapshot) != NETWORK.digest(folder)
