"""What a configuration says of the models behind the scores: one class a kind.

Torch-free, because the workflow checks them while it plans. A kind names its adapter, a class of a module of this
folder, whose `of(settings)` loads the model.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from jsdpipe.miniature import WEIGHTS
from jsdpipe.model_files import BERT_TOKENIZER, IMAGE_REWARD, NORMALISATION, OPEN_CLIP, TOKENIZED_CLIP, Format
from jsdpipe.recipes.strict import NonEmpty, Positive, Strict


class Settings(Strict):
    """A model without weights."""

    kind: str
    adapter: ClassVar[str]

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

    dtype: Literal["float32", "float16", "bfloat16"] = Field(default="float16", description="on GPUs; else float32")


class MiniatureReward(OfClip):
    """The package's CLIP: the cosine, normalised over true pairs."""

    kind: Literal["miniature-clip"]
    adapter = "miniature_clip:MiniatureReward"
    format = replace(TOKENIZED_CLIP, required=(*TOKENIZED_CLIP.required, (NORMALISATION,)))


class OpenClipReward(Pretrained):
    """Any CLIP of open_clip: the cosine, less its mean over true pairs, over their deviation."""

    kind: Literal["open-clip"]
    mean: float = Field(description="of the model's cosines of texts and images that belong together")
    std: Positive = Field(description="their standard deviation")
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


class AttributesJudge(Settings):
    """A count of what the caption has of the prompt, both sentences of the miniature's grammar."""

    kind: Literal["attributes"]
    adapter = "attributes:AttributesJudge"


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


class MiniatureFeatures(OfClip):
    """The package's CLIP."""

    kind: Literal["miniature-clip"]
    adapter = "miniature_clip:MiniatureFeatures"


Reward = Annotated[MiniatureReward | OpenClipReward | ImageReward, Field(discriminator="kind")]
Captioner = MiniatureCaptioner
Judge = AttributesJudge
Similarity = Annotated[MiniatureSimilarity | OpenClipSimilarity, Field(discriminator="kind")]
Classifier = KindClassifier
Features = MiniatureFeatures
