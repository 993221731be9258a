"""The files of models: in local folders, in caches, on the hub. Torch-free, for the workflow's planning."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from jsdpipe.errors import UserError, first_line
from jsdpipe.files import sha256
from jsdpipe.miniature import WEIGHTS
from jsdpipe.pretrained import json_object

WEIGHTS_INDEX = "model.safetensors.index.json"  # of weights in several files


@dataclass(frozen=True)
class Format:
    """How a model's folder looks.

    `required`: of each file, the names it may have, which may be patterns of several files; `optional`: what is read
    if it is there; `own`: models of the package, by the name that a configuration gives them.
    """

    name: str
    required: tuple[tuple[str, ...], ...]
    optional: tuple[str, ...] = ()
    own: Mapping[str, Path] = field(default_factory=dict)

    @property
    def patterns(self) -> list[str]:
        """All names, for downloads."""
        return list(dict.fromkeys([*(name for choice in self.required for name in choice), *self.optional]))

    def local_folder(self, model: str, revision: str | None) -> Path | None:
        """The folder that a model's name stands for, `None` for a hub id; `UserError` if it can be neither.

        And if a folder is to have a revision, which would go unheeded.
        """
        folder = self.own.get(model, Path(model))
        try:
            found = folder.is_dir()
        except OSError as error:
            raise UserError(f"{model!r} cannot be looked at ({error.strerror}); correct the path") from None
        if found and revision is not None:
            raise UserError(f"{model!r} is a folder, which has no revisions; take revision {revision!r} out")
        if found:
            return folder
        if model not in self.own and re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", model):
            return None
        raise UserError(f"{str(folder)!r} is no folder; {self._choices}")

    def cached_folder(self, model: str, revision: str | None) -> Path | None:
        """The folder of a hub id's revision in the local cache, `None` if it is not there; the network is never asked.

        `UserError` if it can be no hub id. Whether the folder is complete, `files` says.
        """
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        try:
            return Path(
                snapshot_download(model, revision=revision, allow_patterns=self.patterns, local_files_only=True)
            )
        except LocalEntryNotFoundError:
            return None
        except HFValidationError as error:
            raise UserError(f"{model!r} is no hub id ({error}); correct it") from None

    def folder(self, model: str, revision: str | None) -> Path:
        """The complete local folder of a model, downloaded first if it is a hub id; `UserError` if there is none."""
        found = self.local_folder(model, revision)
        if found is None:
            from huggingface_hub import snapshot_download

            try:
                found = Path(snapshot_download(model, revision=revision, allow_patterns=self.patterns))
            except Exception as error:  # of many kinds: network, permission, disk
                raise UserError(
                    f"{model!r} is no folder, and the hub did not give it ({first_line(error)}); {self._choices}"
                ) from None
        self.files(found)
        return found

    def files(self, folder: Path) -> list[Path]:
        """The files of a folder that are read; `UserError` names the first that is missing, parts of weights too."""
        found = set()
        for choice in self.required:
            present = [path for name in choice for path in folder.glob(name) if path.is_file()]
            if not present:
                raise UserError(f"{folder}: {' or '.join(choice)} is missing; give a complete folder in {self.name}")
            found.update(present)
        found.update(path for name in self.optional for path in folder.glob(name) if path.is_file())
        for index in [path for path in found if path.name == WEIGHTS_INDEX]:
            for part in sorted(set(json_object(index).get("weight_map", {}).values())):
                if index.with_name(part) not in found:
                    raise UserError(f"{folder}: {part} is missing, which {index.name} names; fetch it again")
        return sorted(found)

    def digest(self, folder: Path) -> str:
        """Hex SHA-256 over the names and contents of a folder's files."""
        listing = "".join(f"{path.relative_to(folder).as_posix()}\0{_sha256(path)}\0" for path in self.files(folder))
        return hashlib.sha256(listing.encode()).hexdigest()

    @property
    def _choices(self) -> str:
        own = "".join(f", or `{name}`" for name in self.own)
        return f"name a folder in {self.name}{' or' if not own else ','} a hub id (owner/name){own}"


def _sha256(path: Path) -> str:
    """Hex SHA-256 of a file; of a large one in the hub's cache the name that it has there.

    A job that captions and judges would otherwise read 65 GB for it.
    """
    blob = path.resolve()
    return blob.name if blob.parent.name == "blobs" and re.fullmatch("[0-9a-f]{64}", blob.name) else sha256(path)


PRIOR = Format(
    "diffusers' format",
    required=(
        ("unet/config.json",),
        ("unet/diffusion_pytorch_model.safetensors",),
        ("vae/config.json",),
        ("vae/diffusion_pytorch_model.safetensors",),
        ("text_encoder/config.json",),
        ("text_encoder/model.safetensors",),
        ("tokenizer/tokenizer.json", "tokenizer/vocab.json"),
        ("tokenizer/tokenizer.json", "tokenizer/merges.txt"),
        ("scheduler/scheduler_config.json",),
    ),
    optional=("tokenizer/tokenizer_config.json", "tokenizer/special_tokens_map.json"),
    own={"miniature": WEIGHTS / "diffusion"},
)

NORMALISATION = "normalisation.json"  # of a CLIP as a reward: mean and std of its cosines over true pairs
OPEN_CLIP = Format(
    "open_clip's format, weights as safetensors",
    required=(("open_clip_config.json",), ("open_clip_model.safetensors",)),
    optional=("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", NORMALISATION),
)
# of a model whose tokenizer is not the one that open_clip has built in
TOKENIZED_CLIP = replace(OPEN_CLIP, required=(*OPEN_CLIP.required, ("tokenizer.json",), ("tokenizer_config.json",)))
IMAGE_REWARD = Format("ImageReward's format", required=(("ImageReward.pt",), ("med_config.json",)))
BERT_TOKENIZER = Format("BERT's format", required=(("vocab.txt",),))

_WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors")
_TOKENIZER = (("tokenizer.json",), ("tokenizer_config.json",))
_TOKENIZER_OPTIONAL = ("special_tokens_map.json", "added_tokens.json")
CAPTIONER = Format(
    "transformers' format, weights as safetensors",
    required=(("config.json",), _WEIGHTS, ("preprocessor_config.json", "processor_config.json"), *_TOKENIZER),
    optional=(WEIGHTS_INDEX, "generation_config.json", *_TOKENIZER_OPTIONAL),
)
CHAT = Format(
    "transformers' format, weights as safetensors",
    required=(("config.json",), _WEIGHTS, *_TOKENIZER),
    optional=(WEIGHTS_INDEX, "generation_config.json", "chat_template.jinja", *_TOKENIZER_OPTIONAL),
)
VIT = Format("transformers' format, weights as safetensors", required=(("config.json",), ("model.safetensors",)))

INCEPTION_URL = "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth"  # torchvision's, of ImageNet


def torch_hub_file(url: str) -> Path:
    """Where PyTorch keeps a file that it downloads; the environment's TORCH_HOME moves it."""
    caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = Path(os.environ.get("TORCH_HOME", f"{caches}/torch")).expanduser()
    return home / "hub/checkpoints" / url.rpartition("/")[2]
