"""The base of the adapters of the package's CLIP."""

from functools import cache
from typing import TYPE_CHECKING, ClassVar

from jsdpipe.miniature import WEIGHTS
from jsdpipe.model_files.formats import TOKENIZED_CLIP, Format
from jsdpipe.models.settings import Packaged

if TYPE_CHECKING:
    from jsdpipe.models.clip import Clip


@cache
def shared_clip(device: str) -> "Clip":
    """The package's CLIP on a device, loaded once per process."""
    from jsdpipe.models.clip import Clip

    return Clip(WEIGHTS / "clip", device)


class MiniatureClip:
    """An adapter of the package's CLIP, or of another CLIP in the same format."""

    class Settings(Packaged):
        """The package's CLIP."""

        format: ClassVar[Format] = TOKENIZED_CLIP
        within = "clip"

    def __init__(self, settings: Settings | None = None, device: str = "cpu", clip: "Clip | None" = None) -> None:
        self.clip = clip or shared_clip(device)

    @property
    def identity(self) -> str:
        return f"miniature-clip sha256:{self.clip.sha256}"
