"""jsdpipe: a benchmark of text-to-3D generation by score distillation."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsdpipe.api import load_run, make, score

__all__ = ["__version__", "load_run", "make", "score"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The functions for notebooks, imported when they are asked for: the command line has no use for them."""
    if name in __all__:
        from jsdpipe import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
