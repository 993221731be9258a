"""The version of the protocols as they are implemented here, and what score files say of their making."""

from typing import Any

from jsdpipe.base.device import device
from jsdpipe.base.provenance import provenance

# raised with every change that moves a score of the same mesh: numbers of two versions don't compare
PROTOCOL_VERSION = 1


def origin(**models: str) -> dict[str, Any]:
    """The provenance of scores by these models (role to identity)."""
    return provenance(device(), **models) | {"protocol_version": PROTOCOL_VERSION}
