"""Base classes for the settings of scoring models, by the origin of the model."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from jsdpipe.base.errors import UserError, first_line
from jsdpipe.base.fields import NonEmpty, Strict
from jsdpipe.miniature import WEIGHTS
from jsdpipe.model_files.formats import Format, torch_hub_file

Dtype = Literal["float32", "float16", "bfloat16"]


class Settings(Strict):
    """The settings of a model without files."""

    kind: str
    unscored: ClassVar[frozenset[str]] = frozenset()  # keys that do not affect scores

    @property
    def name(self) -> str:
        """Its name in tables and errors."""
        return self.kind

    def folder(self) -> Path | None:
        """The local folder of its weights, or `None` if it has none or names a hub id; else raises `UserError`."""
        return None

    def files(self) -> list[Path]:
        """The local files that it reads; raises `UserError` if one is missing."""
        return []

    def check_prompt(self, prompt: str) -> None:
        """Raise `UserError` for a prompt that the model cannot read."""


class Packaged(Settings):
    """The settings of one of the package's own models of the miniature world."""

    format: ClassVar[Format]
    within: ClassVar[str]  # its folder among the package's weights

    def folder(self) -> Path:
        return WEIGHTS / self.within

    def files(self) -> list[Path]:
        return self.format.files(self.folder())


class Checkpoint(Strict):
    """The files of a model, in a local folder or on the hub."""

    model: NonEmpty = Field(description="a folder, or a hub id")
    revision: str | None = Field(default=None, description="branch, tag or commit of a hub id")
    format: ClassVar[Format]

    @property
    def name(self) -> str:
        return self.model

    def folder(self) -> Path | None:
        return self.format.local_folder(self.model, self.revision)

    def files(self) -> list[Path]:
        folder = self.folder()
        return self.format.files(folder) if folder else []

    def fetched(self) -> Path:
        """The folder of its files, downloaded from the hub if necessary; raises `UserError` if one is missing."""
        return self.format.folder(self.model, self.revision)


class Pretrained(Checkpoint, Settings):
    """The settings of a model whose weights are in a local folder, or on the hub."""

    dtype: Dtype = Field(default="float16", description="used on GPUs; CPUs use float32")


class WeightsFile(Settings):
    """The settings of a model whose weights are one file."""

    weights: NonEmpty | None = Field(default=None, description="a local file; default: the downloaded file")
    url: ClassVar[str]  # as in PyTorch's hub, the file's name ends in the first digits of its SHA-256

    @property
    def name(self) -> str:
        return self.weights or self.kind

    @property
    def file(self) -> Path:
        """The file of the weights, which may not be downloaded yet."""
        return Path(self.weights) if self.weights else torch_hub_file(self.url)

    def files(self) -> list[Path]:
        if self.weights and not self.file.is_file():
            remedy = f"give a file such as {torch_hub_file(self.url).name}, or leave `weights` out to download it"
            raise UserError(f"{self.weights!r} is no file; {remedy}")
        return [self.file] if self.weights else []

    def fetched(self) -> Path:
        """The file of the weights, downloaded if none is named; raises `UserError` if the download fails."""
        if self.weights is None and not self.file.is_file():
            import torch

            self.file.parent.mkdir(parents=True, exist_ok=True)
            digits = self.file.stem.rpartition("-")[2]
            try:
                torch.hub.download_url_to_file(self.url, str(self.file), hash_prefix=digits)
            except Exception as error:  # of many types: network, permission, disk, wrong hash
                remedy = f"copy it to {self.file}, or name a copy of it as `weights`"
                raise UserError(f"{self.url} cannot be downloaded ({first_line(error)}); {remedy}") from None
        return self.file


class Endpoint(Settings):
    """The settings of a model behind a network endpoint."""

    base_url: Annotated[
        str, Field(pattern=r"^https?://[^\s?#@]+[^\s?#@/]$", description="the URL before /chat/completions")
    ]
    model: NonEmpty
    key_env: NonEmpty | None = Field(
        default=None, description="the environment variable that holds the API key, if any"
    )
    max_calls: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = Field(
        default=10_000, description="limit on a run's calls; cached answers do not count"
    )
    unscored = frozenset({"key_env", "max_calls"})

    @property
    def name(self) -> str:
        return self.model
