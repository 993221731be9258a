"""The files of models: in local folders, in caches, on the hub. Torch-free, because the workflow plans with it."""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from jsdpipe.base.errors import UserError, first_line
from jsdpipe.base.files import sha256
from jsdpipe.miniature import WEIGHTS
from jsdpipe.model_files import prior_family
from jsdpipe.model_files.pretrained import HALF, json_object


@dataclass(frozen=True)
class Format:
    """Which files a model's folder has.

    Args:
        name: what errors call the format.
        required: for each file that must be there, the names it may have.
        weights: names of safetensors without their endings, such as "unet/diffusion_pytorch_model". Each is one file,
            or several with an index; those in half precision are read if there are no others.
        optional: files that are read if they are there.
        check: raises `UserError` if a complete folder holds a model of another kind.
        own: the package's models of this format, by the name that a configuration gives them.
    """

    name: str
    required: tuple[tuple[str, ...], ...]
    weights: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    check: Callable[[Path], None] = lambda folder: None
    own: Mapping[str, Path] = field(default_factory=dict)

    @property
    def patterns(self) -> list[str]:
        """The names of all files for a download, without weights in half precision."""
        ends = (".safetensors", "-*-of-*.safetensors", ".safetensors.index.json")
        weights = [f"{stem}{end}" for stem in self.weights for end in ends]
        return list(dict.fromkeys([*(name for choice in self.required for name in choice), *weights, *self.optional]))

    def local_folder(self, model: str, revision: str | None) -> Path | None:
        """The folder that a model's name stands for, or `None` if it is a hub id.

        Raises:
            UserError: it can be neither, or a folder comes with a revision, which folders do not have.
        """
        folder = self.own.get(model, Path(model))
        try:
            found = folder.is_dir()
        except OSError as error:
            raise UserError(f"{model!r} cannot be read ({error.strerror}); correct the path") from None
        if found and revision is not None:
            raise UserError(f"{model!r} is a folder, which has no revisions; take revision {revision!r} out")
        if found:
            return folder
        if model not in self.own and re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", model):
            return None
        raise UserError(f"{str(folder)!r} is no folder; {self._choices}")

    def cached_folder(self, model: str, revision: str | None) -> Path | None:
        """The folder of a hub id's revision in the local cache, or `None` if it is not there; no network is used.

        The folder may be incomplete: `files` checks that.

        Raises:
            UserError: `model` cannot be a hub id.
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
        """The complete local folder of a model, downloaded first if it is a hub id; `UserError` if that fails."""
        found = self.local_folder(model, revision)
        if found is None:
            from huggingface_hub import snapshot_download

            try:
                found = Path(snapshot_download(model, revision=revision, allow_patterns=self.patterns))
                if not all([*found.glob(f"{stem}*.safetensors")] for stem in self.weights):
                    halves = [f"{stem}*{HALF}*" for stem in self.weights]
                    found = Path(snapshot_download(model, revision=revision, allow_patterns=[*self.patterns, *halves]))
            except Exception as error:  # of many kinds: network, permission, disk
                raise UserError(
                    f"{model!r} is no folder, and the hub did not give it ({first_line(error)}); {self._choices}"
                ) from None
        self.files(found)
        return found

    def files(self, folder: Path) -> list[Path]:
        """The files of a folder that are read; `UserError` names one that is missing, or of a model of another kind."""
        found = set()
        for choice in self.required:
            present = [path for name in choice for path in folder.glob(name) if path.is_file()]
            if not present:
                raise UserError(f"{folder}: {' or '.join(choice)} is missing; give a complete folder in {self.name}")
            found.update(present)
        for stem in self.weights:
            found.update(self._weights(folder, stem))
        found.update(path for name in self.optional for path in folder.glob(name) if path.is_file())
        self.check(folder)
        return sorted(found)

    def _weights(self, folder: Path, stem: str) -> list[Path]:
        """The files of weights that diffusers and transformers would read."""
        for variant in ("", f".{HALF}"):
            whole, index = folder / f"{stem}{variant}.safetensors", folder / f"{stem}.safetensors.index{variant}.json"
            if whole.is_file():
                return [whole]
            if index.is_file():
                return [index, *_parts(index)]
        if pickled := sorted(whole.parent.glob("*.bin")):
            raise UserError(
                f"{pickled[0]}: pickled weights, which can run code when they are read; fetch the model's safetensors, "
                "or, where you trust it, convert it by from_pretrained and save_pretrained"
            )
        raise UserError(f"{folder}: {stem}.safetensors is missing; give a complete folder in {self.name}")

    def digest(self, folder: Path) -> str:
        """Hex SHA-256 over the names and contents of a folder's files."""
        listing = "".join(f"{path.relative_to(folder).as_posix()}\0{_sha256(path)}\0" for path in self.files(folder))
        return hashlib.sha256(listing.encode()).hexdigest()

    @property
    def _choices(self) -> str:
        own = "".join(f", or `{name}`" for name in self.own)
        return f"name a folder in {self.name}{' or' if not own else ','} a hub id (owner/name){own}"


def _parts(index: Path) -> list[Path]:
    """The files that an index of weights names."""
    names = json_object(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise UserError(f"{index}: weight_map: must name the weights' files; fetch it again")
    parts = [index.with_name(str(name)) for name in sorted(set(names.values()))]
    for part in parts:
        if not part.is_file():
            raise UserError(f"{part.parent}: {part.name} is missing, which {index.name} names; fetch it again")
    return parts


def _sha256(path: Path) -> str:
    """Hex SHA-256 of a file; for a large file in the hub's cache it is the file's name there.

    Otherwise a job that captions and judges would read 65 GB to hash them.
    """
    blob = path.resolve()
    return blob.name if blob.parent.name == "blobs" and re.fullmatch("[0-9a-f]{64}", blob.name) else sha256(path)


PRIOR = Format(
    "diffusers' format",
    required=(
        ("unet/config.json",),
        ("vae/config.json",),
        ("text_encoder/config.json",),
        ("tokenizer/tokenizer.json", "tokenizer/vocab.json"),
        ("tokenizer/tokenizer.json", "tokenizer/merges.txt"),
        ("scheduler/scheduler_config.json",),
    ),
    weights=("unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"),
    optional=("tokenizer/tokenizer_config.json", "tokenizer/special_tokens_map.json"),
    check=prior_family.check,
    own={"miniature": WEIGHTS / "diffusion"},
)
# of a model whose U-Net alone is taken
UNET = Format(
    "diffusers' format",
    required=(("unet/config.json",), ("scheduler/scheduler_config.json",)),
    weights=("unet/diffusion_pytorch_model",),
    check=prior_family.check_unet,
    own=PRIOR.own,
)

NORMALISATION = "normalisation.json"  # of a CLIP as a reward: mean and std of its cosines over true pairs
OPEN_CLIP = Format(
    "open_clip's format, weights as safetensors",
    required=(("open_clip_config.json",), ("open_clip_model.safetensors",)),
    optional=("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", NORMALISATION),
)
# for a model with another tokenizer than the one that is built into open_clip
TOKENIZED_CLIP = replace(OPEN_CLIP, required=(*OPEN_CLIP.required, ("tokenizer.json",), ("tokenizer_config.json",)))
IMAGE_REWARD = Format("ImageReward's format", required=(("ImageReward.pt",), ("med_config.json",)))
BERT_TOKENIZER = Format("BERT's format", required=(("vocab.txt",),))

_TOKENIZER = (("tokenizer.json",), ("tokenizer_config.json",))
_TOKENIZER_OPTIONAL = ("special_tokens_map.json", "added_tokens.json")
CAPTIONER = Format(
    "transformers' format, weights as safetensors",
    required=(("config.json",), ("preprocessor_config.json", "processor_config.json"), *_TOKENIZER),
    weights=("model",),
    optional=("generation_config.json", *_TOKENIZER_OPTIONAL),
)
CHAT = Format(
    "transformers' format, weights as safetensors",
    required=(("config.json",), *_TOKENIZER),
    weights=("model",),
    optional=("generation_config.json", "chat_template.jinja", *_TOKENIZER_OPTIONAL),
)
NETWORK = Format("transformers' format, weights as safetensors", required=(("config.json",),), weights=("model",))

INCEPTION_URL = "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth"  # torchvision's, of ImageNet


def torch_hub_file(url: str) -> Path:
    """Where PyTorch keeps a file that it downloads; the environment's TORCH_HOME moves it."""
    caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = Path(os.environ.get("TORCH_HOME", f"{caches}/torch")).expanduser()
    return home / "hub/checkpoints" / url.rpartition("/")[2]
