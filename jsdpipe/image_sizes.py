"""How large a prior's images are, by its own configuration."""


def image_size(sample_size: int, blocks: int) -> int:
    """Pixels a side of a U-Net's images: of latents of this size, before so many blocks of an autoencoder's encoder."""
    return sample_size * 2 ** (blocks - 1)
