"""What a configuration says of the models behind the scores: one class a kind.

Torch-free, because the workflow checks them while it plans. A kind names its adapter, a class of a module of this
folder, whose `of(settings)` loads the model.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from jsdpipe.base.errors import UserError
from jsdpipe.base.fields import NonEmpty, Seconds, Strict
from jsdpipe.miniature import WEIGHTS
from jsdpipe.model_files.formats import (
    BERT_TOKENIZER,
    CAPTIONER,
    CHAT,
    IMAGE_REWARD,
    INCEPTION_URL,
    NORMALISATION,
    OPEN_CLIP,
    TOKENIZED_CLIP,
    VIT,
    Format,
    torch_hub_file,
)

Dtype = Literal["float32", "float16", "bfloat16"]


class Settings(Strict):
    """A model without weights."""

    kind: str
    adapter: ClassVar[str]
    unscored: ClassVar[frozenset[str]] = frozenset()  # the settings that no number depends on

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


class OfClip(Settings):
    """Made of the package's CLIP."""

    format: ClassVar[Format] = TOKENIZED_CLIP

    def folder(self) -> Path:
        return WEIGHTS / "clip"

    def files(self) -> list[Path]:
        return self.format.files(self.folder())


class Stored(Strict):
    """Files in a local folder, or on the hub."""

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


class Pretrained(Stored, Settings):
    """Weights in a local folder, or on the hub."""

    dtype: Dtype = Field(default="float16", description="on GPUs; else float32")


class MiniatureReward(OfClip):
    """The package's CLIP: the cosine, normalised over true pairs."""

    kind: Literal["miniature-clip"]
    adapter = "miniature_clip:MiniatureReward"
    format = replace(TOKENIZED_CLIP, required=(*TOKENIZED_CLIP.required, (NORMALISATION,)))


class OpenClipReward(Pretrained):
    """Any CLIP of open_clip: the cosine, less its mean over true pairs, over their deviation."""

    kind: Literal["open-clip"]
    mean: float = Field(ge=-1, le=1, description="of the model's cosines of texts and images that belong together")
    std: float = Field(gt=0, le=1, description="their standard deviation")
    adapter = "open_clip_models:OpenClipReward"
    format = OPEN_CLIP


class BertTokenizer(Stored):
    """The vocabulary that ImageReward reads its texts with."""

    format = BERT_TOKENIZER


class ImageReward(Pretrained):
    """ImageReward-v1.0, T3Bench's reward."""

    kind: Literal["imagereward"]
    tokenizer: BertTokenizer = BertTokenizer(model="google-bert/bert-base-uncased")
    adapter = "imagereward:ImageReward"
    format = IMAGE_REWARD


class MiniatureCaptioner(OfClip):
    """The sentence of the miniature's grammar that the package's CLIP finds most probable."""

    kind: Literal["miniature"]
    adapter = "miniature_captioner:MiniatureCaptioner"


class BlipCaptioner(Pretrained):
    """BLIP, such as Salesforce/blip-image-captioning-large."""

    kind: Literal["blip"]
    adapter = "blip:BlipCaptioner"
    format = CAPTIONER


class Blip2Captioner(Pretrained):
    """BLIP-2, such as T3Bench's Salesforce/blip2-flan-t5-xxl, whose T5 overflows in float16."""

    kind: Literal["blip2"]
    dtype: Dtype = Field(default="bfloat16", description="on GPUs; else float32")
    adapter = "blip:Blip2Captioner"
    format = CAPTIONER


class AttributesJudge(Settings):
    """A count of what the caption has of the prompt, both sentences of the miniature's grammar."""

    kind: Literal["attributes"]
    adapter = "attributes:AttributesJudge"


class EndpointJudge(Settings):
    """A language model behind an endpoint that speaks OpenAI's chat completions."""

    kind: Literal["openai"]
    base_url: Annotated[str, Field(pattern=r"^https?://[^\s?#@]+[^\s?#@/]$", description="up to /chat/completions")]
    model: NonEmpty
    key_env: NonEmpty | None = Field(default=None, description="the environment variable that holds the key, if any")
    fields: dict[str, Any] = Field(
        default={}, description="of the request, beside model and messages: set, or with null left out, as temperature"
    )
    system_role: bool = Field(default=True, description="false: the instructions stand in the user's turn")
    timeout_s: Seconds = Field(default=60.0, description="seconds for the whole of one answer")
    retries: Annotated[int, Field(ge=0, le=100)] = 5
    max_calls: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = Field(
        default=10_000, description="a run's, cached answers apart"
    )
    cache: NonEmpty = Field(default="results/answers", description="the folder of all answers, which runs share")
    adapter = "endpoint:EndpointJudge"
    unscored = frozenset({"key_env", "timeout_s", "retries", "max_calls", "cache"})

    @field_validator("fields")
    @classmethod
    def _free(cls, fields: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(fields.keys() & {"model", "messages", "stream", "n"}):
            raise ValueError(f"must not set {', '.join(taken)}")
        return fields

    @property
    def name(self) -> str:
        return self.model


class ChatJudge(Pretrained):
    """A local chat model, such as Qwen/Qwen2.5-7B-Instruct."""

    kind: Literal["transformers"]
    system_role: bool = Field(default=True, description="false: the instructions stand in the user's turn")
    dtype: Dtype = Field(default="bfloat16", description="on GPUs; else float32")
    adapter = "chat:ChatJudge"
    format = CHAT


class MiniatureSimilarity(OfClip):
    """The package's CLIP."""

    kind: Literal["miniature-clip"]
    adapter = "miniature_clip:MiniatureSimilarity"


class OpenClipSimilarity(Pretrained):
    """Any CLIP of open_clip."""

    kind: Literal["open-clip"]
    adapter = "open_clip_models:OpenClipSimilarity"
    format = OPEN_CLIP


class KindClassifier(OfClip):
    """The package's CLIP over the miniature's kinds."""

    kind: Literal["miniature-clip"]
    adapter = "miniature_clip:KindClassifier"


class Inception(Settings):
    """torchvision's Inception-v3 over ImageNet's classes, DiverseDream's classifier."""

    kind: Literal["inception-v3"]
    weights: NonEmpty | None = Field(default=None, description="a file of torchvision's; without, its download")
    adapter = "inception:Inception"

    @property
    def name(self) -> str:
        return self.weights or self.kind

    @property
    def file(self) -> Path:
        """The file of its weights, which may not have been downloaded yet."""
        return Path(self.weights) if self.weights else torch_hub_file(INCEPTION_URL)

    def files(self) -> list[Path]:
        if self.weights and not self.file.is_file():
            mend = f"give a file such as {torch_hub_file(INCEPTION_URL).name}, or leave `weights` out to download it"
            raise UserError(f"{self.weights!r} is no file; {mend}")
        return [self.file] if self.weights else []


class MiniatureFeatures(OfClip):
    """The package's CLIP."""

    kind: Literal["miniature-clip"]
    adapter = "miniature_clip:MiniatureFeatures"


class Dino(Pretrained):
    """DINO's vision transformer, ViT-B/8 in DiverseDream's protocol: the class token."""

    kind: Literal["dino"]
    adapter = "dino:Dino"
    format = VIT


Reward = Annotated[MiniatureReward | OpenClipReward | ImageReward, Field(discriminator="kind")]
Captioner = Annotated[MiniatureCaptioner | BlipCaptioner | Blip2Captioner, Field(discriminator="kind")]
Judge = Annotated[AttributesJudge | EndpointJudge | ChatJudge, Field(discriminator="kind")]
Similarity = Annotated[MiniatureSimilarity | OpenClipSimilarity, Field(discriminator="kind")]
Classifier = Annotated[KindClassifier | Inception, Field(discriminator="kind")]
Features = Annotated[MiniatureFeatures | Dino, Field(discriminator="kind")]
