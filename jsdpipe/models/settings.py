"""Bases for the settings of scoring models, by where a model comes from."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from jsdpipe.base.errors import UserError, first_line
from jsdpipe.base.fields import NonEmpty, Strict
from jsdpipe.model_files.formats import Format, torch_hub_file

Dtype = Literal["float32", "float16", "bfloat16"]


class Settings(Strict):
    """The settings of a model that reads no files."""

    kind: str
    unscored: ClassVar[frozenset[str]] = frozenset()  # the keys that no score depends on

    @property
    def name(self) -> str:
        """What tables and errors call it."""
        return self.kind

    def folder(self) -> Path | None:
        """The local folder of its weights; `None` if it has none, or they are on the hub. `UserError` if neither."""
        return None

    def files(self) -> list[Path]:
        """The local files that it reads; `UserError` if one is missing."""
        return []

    def check_prompt(self, prompt: str) -> None:
        """Raise `UserError` for a prompt that the model cannot read."""


class Checkpoint(Strict):
    """Files of a model, in a local folder or on the hub."""

    model: NonEmpty = Field(description="a folder, or a hub id")
    revision: str | None = Field(default=None, description="of a hub id: a branch, tag or commit")
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
        """The folder of its files, downloaded first if they are on the hub; `UserError` if one is missing."""
        return self.format.folder(self.model, self.revision)


class Pretrained(Checkpoint, Settings):
    """The settings of a model whose weights are in a local folder, or on the hub."""

    dtype: Dtype = Field(default="float16", description="on GPUs; else float32")


class WeightsFile(Settings):
    """The settings of a model whose weights are one file."""

    weights: NonEmpty | None = Field(default=None, description="a local file; without: the download")
    url: ClassVar[str]  # of the download; its name ends in the first digits of its SHA-256, as in PyTorch's hub

    @property
    def name(self) -> str:
        return self.weights or self.kind

    @property
    def file(self) -> Path:
        """The file of the weights, which may not have been downloaded yet."""
        return Path(self.weights) if self.weights else torch_hub_file(self.url)

    def files(self) -> list[Path]:
        if self.weights and not self.file.is_file():
            mend = f"give a file such as {torch_hub_file(self.url).name}, or leave `weights` out to download it"
            raise UserError(f"{self.weights!r} is no file; {mend}")
        return [self.file] if self.weights else []

    def fetched(self) -> Path:
        """The file of the weights, downloaded first if none is named; `UserError` if that fails."""
        if self.weights is None and not self.file.is_file():
            import torch

            self.file.parent.mkdir(parents=True, exist_ok=True)
            checked = self.file.stem.rpartition("-")[2]
            try:
                torch.hub.download_url_to_file(self.url, str(self.file), hash_prefix=checked)
            except Exception as error:  # of many kinds: network, permission, disk, another file
                mend = f"copy it to {self.file}, or name a copy of it as `weights`"
                raise UserError(f"{self.url} cannot be fetched ({first_line(error)}); {mend}") from None
        return self.file


class Endpoint(Settings):
    """The settings of a model that is asked over the network."""

    base_url: Annotated[str, Field(pattern=r"^https?://[^\s?#@]+[^\s?#@/]$", description="up to /chat/completions")]
    model: NonEmpty
    key_env: NonEmpty | None = Field(default=None, description="the environment variable that holds the key, if any")
    max_calls: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = Field(
        default=10_000, description="a run's, cached answers apart"
    )
    unscored = frozenset({"key_env", "max_calls"})

    @property
    def name(self) -> str:
        return self.model
