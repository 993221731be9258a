"""The network of the captioner `miniature`, in transformers' folder format.

A small ResNet encodes the image. Learned queries read it through transformer decoder layers, as in DETR (arXiv
2005.12872): one for each thing of a caption, and one for what they stand on. Heads name their attributes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedConfig, PreTrainedModel

from jsdpipe.miniature.grammar import (
    COLORS,
    KINDS,
    PATTERNS,
    RELATIONS,
    SUPPORTS,
    SURROUNDINGS,
    WORDS,
    Description,
    Thing,
    caption,
)

BATCH = 128
SIZE = 64  # pixels of the network's input
THINGS = 2  # things of a caption, at most
# what a head says, by index: one of these words; for all but colors, there may be none
PATTERN = (None, *PATTERNS)
SURROUNDING = (None, *SURROUNDINGS)
RELATION = (None, *RELATIONS)
FORMS = (*((None, surrounding) for surrounding in SURROUNDING), *((relation, None) for relation in RELATIONS))
NO_THING = len(KINDS)
CONTRAST = 0.05  # difference from the background, in [0, 1], of pixels that show something
MARGIN = 1.1  # side of the frame over that of what is shown
SMALLEST = 0.25  # side of the frame over that of the image, at least


class Answers(NamedTuple):
    """Logits for B images, of the words of each of two things, and of the scene."""

    kind: Tensor  # (B, 2, kinds + 1), no thing last
    color: Tensor  # (B, 2, colors)
    pattern: Tensor  # (B, 2, 1 + patterns), none first
    surrounding: Tensor  # (B, 1 + surroundings), none first
    relation: Tensor  # (B, 1 + relations), none first


class CaptionerConfig(PreTrainedConfig):
    """The network's sizes and words.

    Args:
        channels: of the ResNet's three stages.
        hidden_size: of the decoder.
        words: the grammar's words, by head.
    """

    model_type = "miniature-captioner"

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 160),
        hidden_size: int = 128,
        num_hidden_layers: int = 2,
        num_attention_heads: int = 4,
        words: Mapping[str, Sequence[str]] = WORDS,
        **more: Any,
    ) -> None:
        self.channels, self.hidden_size = list(channels), hidden_size
        self.num_hidden_layers, self.num_attention_heads = num_hidden_layers, num_attention_heads
        self.words = {name: list(of) for name, of in words.items()}
        super().__init__(**more)


class Block(nn.Module):
    """A residual block of two 3 x 3 convolutions."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second_norm(self.second(F.relu(self.first_norm(self.first(x)))))
        return F.relu(self.shortcut(x) + y)


class CaptionerNetwork(PreTrainedModel):
    """Answers for images (B, 3, 64, 64) in [0, 1]."""

    config_class = CaptionerConfig
    main_input_name = "images"

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__(config)
        first, second, third = config.channels
        width = config.hidden_size
        self.trunk = nn.Sequential(
            nn.Conv2d(3, first, 3, 2, 1, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(),
            Block(first, first, 1),
            Block(first, second, 2),
            Block(second, second, 1),
            Block(second, third, 2),
            Block(third, third, 1),
            Block(third, third, 1),
        )
        self.places = nn.Parameter(0.02 * torch.randn(1, (SIZE // 8) ** 2, third))
        self.projection = nn.Linear(third, width)
        self.queries = nn.Parameter(0.5 * torch.randn(1, THINGS + 1, width))
        layer = nn.TransformerDecoderLayer(
            width, config.num_attention_heads, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.decoder = nn.TransformerDecoder(layer, config.num_hidden_layers)
        self.norm = nn.LayerNorm(width)
        self.kind = nn.Linear(width, len(KINDS) + 1)
        self.color = nn.Linear(width, len(COLORS))
        self.pattern = nn.Linear(width, len(PATTERN))
        self.surrounding = nn.Linear(width, len(SURROUNDING))
        self.relation = nn.Linear(width, len(RELATION))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Keep PyTorch's own initialization."""

    def features(self, images: Tensor) -> Tensor:
        """The features (B, C, 8, 8) of images."""
        features: Tensor = self.trunk((2 * images - 1).contiguous(memory_format=torch.channels_last))
        return features

    def answers(self, features: Tensor) -> Answers:
        """What the heads say to features."""
        memory = self.projection(features.flatten(2).mT + self.places)
        read = self.norm(self.decoder(self.queries.expand(len(features), -1, -1), memory))
        things, scene = read[:, :THINGS], read[:, THINGS]
        return Answers(
            self.kind(things), self.color(things), self.pattern(things), self.surrounding(scene), self.relation(scene)
        )

    def forward(self, images: Tensor) -> Answers:
        return self.answers(self.features(images))


def frames(images: Tensor) -> Tensor:
    """The squares around what images (B, 3, H, W) in [0, 1] show before a plain background, as affine maps (B, 2, 3).

    The background's color is the median of the border. If nothing differs from it, the square is the whole image.
    """
    border = torch.cat((images[:, :, 0], images[:, :, -1], images[..., 0], images[..., -1]), dim=2)
    background = border.median(dim=2).values[:, :, None, None]
    shown = (images - background).abs().amax(dim=1) > CONTRAST
    ends = [_ends(shown.sum(dim=axis) > 1) for axis in (1, 2)]  # along x and along y
    low, high = (torch.stack(end, dim=1) for end in zip(*ends, strict=True))
    side = (MARGIN * (high - low).amax(dim=1) / 2).clamp(SMALLEST, 1.0)
    affine = torch.zeros(len(images), 2, 3, device=images.device)
    affine[:, 0, 0] = affine[:, 1, 1] = side
    affine[:, :, 2] = (low + high) / 2
    return affine


def _ends(shown: Tensor) -> tuple[Tensor, Tensor]:
    """Where the shown pixels of rows (B, N) begin and end, from -1 to 1; the whole row if none is shown."""
    count = shown.shape[1]
    shown = torch.where(shown.any(dim=1, keepdim=True), shown, True).int()
    low, high = shown.argmax(dim=1), count - shown.flip(1).argmax(dim=1)
    return 2 * low / count - 1, 2 * high / count - 1


def framed(images: Tensor, affine: Tensor) -> Tensor:
    """The squares `affine` of images (B, 3, H, W), at the size of the network's input."""
    grid = F.affine_grid(affine, [*images.shape[:2], SIZE, SIZE], align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def described(answers: Answers) -> list[Description]:
    """The most probable description of each image, among those of the grammar."""
    logs = Answers(*(logits.log_softmax(dim=-1) for logits in answers))
    first, second = logs.kind[:, 0, :NO_THING], logs.kind[:, 1, :NO_THING]
    no_support = torch.tensor([kind not in SUPPORTS for kind in KINDS], device=second.device)
    below = second.masked_fill(no_support, -torch.inf)
    others = {None: logs.kind[:, 1, NO_THING:], "and": second, "on": below}
    scores = [
        logs.relation[:, RELATION.index(relation)]
        + logs.surrounding[:, SURROUNDING.index(surrounding)]
        + others[relation].amax(dim=1)
        for relation, surrounding in FORMS
    ]
    found = []
    for i, form in enumerate(torch.stack(scores, dim=1).argmax(dim=1).tolist()):
        relation, surrounding = FORMS[form]
        kinds = [first[i], others[relation][i]] if relation else [first[i]]
        things = (
            Thing(KINDS[int(kind.argmax())], COLORS[int(color.argmax())], PATTERN[int(pattern.argmax())])
            for kind, color, pattern in zip(kinds, logs.color[i], logs.pattern[i], strict=False)
        )
        found.append(Description(tuple(things), relation, surrounding))
    return found


@torch.no_grad()
def captions(network: CaptionerNetwork, images: NDArray[np.uint8]) -> list[str]:
    """The captions of images (N, H, W, 3)."""
    found = []
    for start in range(0, len(images), BATCH):
        batch = torch.from_numpy(images[start : start + BATCH]).to(network.device).permute(0, 3, 1, 2) / 255
        if batch.shape[-2:] != (SIZE, SIZE):
            batch = F.interpolate(batch, (SIZE, SIZE), mode="bilinear", antialias=True)
        found += described(network(framed(batch, frames(batch))))
    return [caption(d) for d in found]
