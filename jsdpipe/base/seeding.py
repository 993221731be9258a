"""Seeds by name: every random draw comes from a generator that is seeded by a hash of its purpose."""

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def seed_of(*key: str | int) -> int:
    """A 63-bit seed from the parts of a key, the same on every machine and in every process."""
    digest = hashlib.blake2b(json.dumps(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(*key: str | int) -> "torch.Generator":
    """A CPU generator seeded by `key`, e.g. (run seed, method, prompt id, seed, purpose).

    Draws are made on the CPU and then moved, so that CPUs and GPUs use the same numbers.
    """
    import torch

    return torch.Generator().manual_seed(seed_of(*key))
