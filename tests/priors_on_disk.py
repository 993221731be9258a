"""A prior's files of known sizes, in a folder or in a cache in the hub's layout."""

from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
# bytes of each file of a prior: 550 in all
SIZES = {
    "unet/config.json": 60,
    "unet/diffusion_pytorch_model.safetensors": 150,
    "vae/config.json": 20,
    "vae/diffusion_pytorch_model.safetensors": 100,
    "text_encoder/config.json": 30,
    "text_encoder/model.safetensors": 90,
    "tokenizer/vocab.json": 40,
    "tokenizer/merges.txt": 50,
    "scheduler/scheduler_config.json": 10,
}


# what the configurations say, padded to their sizes
SAYS = {"unet/config.json": '{"sample_size": 8, "cross_attention_dim": 512}'}


def fill(folder: Path, license: str | None = None) -> Path:
    """Write files of a prior's names and of known sizes, and another one that no prior is made of."""
    for name, size in SIZES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        said = SAYS.get(name, "{}") if name.endswith("config.json") else ""
        (folder / name).write_bytes(said.encode().ljust(size))
    (folder / "unet/diffusion_pytorch_model.fp16.safetensors").write_bytes(b"0" * 7)
    if license:
        (folder / "README.md").write_text(f"---\nlicense: {license}\ntags: [a]\n---\n# A model\n---\n")
    return folder


def store(cache: Path, model: str, ref: str, license: str | None = None) -> Path:
    """A snapshot in the hub's layout: files are links to blobs, a branch is a file that holds its commit."""
    root = cache / f"models--{model.replace('/', '--')}"
    blobs, snapshot = fill(root / "blobs", license), root / "snapshots" / COMMIT
    for blob in blobs.rglob("*.*"):
        link = snapshot / blob.relative_to(blobs)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    (root / "refs").mkdir()
    (root / "refs" / ref).write_text(COMMIT)
    return snapshot
