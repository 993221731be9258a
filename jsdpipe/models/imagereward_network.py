"""ImageReward's network, and the loading of its checkpoint, which uses the weight names of BLIP's own code.

A vision transformer encodes the image. BLIP's text encoder reads the text, with cross-attention to the image in each
layer. A head of linear layers maps the output of the first text token to a number.
"""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import BlipTextConfig, BlipTextModel, BlipVisionConfig, BlipVisionModel

from jsdpipe.base.errors import UserError, first_line
from jsdpipe.model_files.pretrained import json_object

HEAD = (1024, 128, 64, 16, 1)
HEAD_INDICES = (0, 2, 4, 6, 7)  # the layers' indices in the checkpoint, which also counts dropout layers
ATTENTION_WIDTH = 64  # of one attention head of the vision transformer, in all its sizes
# parts of transformers' weight names -> parts of the checkpoint's names, in the order of replacement
NAMES = {
    "vision.embeddings.class_embedding": "blip.visual_encoder.cls_token",
    "vision.embeddings.position_embedding": "blip.visual_encoder.pos_embed",
    "vision.embeddings.patch_embedding.": "blip.visual_encoder.patch_embed.proj.",
    "vision.encoder.layers.": "blip.visual_encoder.blocks.",
    "vision.post_layernorm.": "blip.visual_encoder.norm.",
    ".self_attn.projection.": ".attn.proj.",
    ".self_attn.": ".attn.",
    ".layer_norm": ".norm",
    "text.": "blip.text_encoder.",
    "head.": "mlp.layers.",
}
# weights of the checkpoint that the reward does not use
UNUSED = ("blip.vision_proj.", "blip.text_proj.", "blip.text_encoder.embeddings.position_ids")
MEND = "fetch ImageReward.pt and med_config.json again"


class Network(nn.Module):
    """Raw rewards (N,) of images (N, 3, H, W) for one text, given as tokens and their mask (1, L)."""

    def __init__(self, vision: BlipVisionConfig, text: BlipTextConfig) -> None:
        super().__init__()
        self.vision = BlipVisionModel(vision)
        self.text = BlipTextModel(text, add_pooling_layer=False)
        sizes = zip((text.hidden_size, *HEAD), HEAD, strict=False)
        linear = {str(index): nn.Linear(*size) for index, size in zip(HEAD_INDICES, sizes, strict=True)}
        self.head = nn.ModuleDict(linear)

    def forward(self, pixels: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        seen = self.vision(pixels).last_hidden_state
        read = self.text(
            ids.expand(len(seen), -1),
            attention_mask=mask.expand(len(seen), -1),
            encoder_hidden_states=seen,
            is_decoder=False,  # every token attends to every other
        )
        value = read.last_hidden_state[:, 0].float()
        for linear in self.head.values():
            value = linear(value)
        return value[:, 0]


def load(folder: Path) -> Network:
    """The network of a folder's checkpoint, from which its weights and sizes are read.

    Raises `UserError` unless the checkpoint has exactly the network's weights.
    """
    path = folder / "ImageReward.pt"
    weights = _read(path)
    try:
        network = Network(_vision(weights), _text(folder / "med_config.json", weights))
    except UserError:
        raise
    except Exception as error:  # of many types: a weight or a size is missing or impossible
        what = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(f"{folder}: does not describe a network of ImageReward ({what}); {MEND}") from None
    names = {name: _name(name) for name in network.state_dict()}
    for name, weight in network.state_dict().items():
        if (theirs := names[name]) not in weights:
            raise UserError(f"{path}: {theirs} is missing; {MEND}")
        if (actual := tuple(weights[theirs].shape)) != (shape := tuple(weight.shape)):
            raise UserError(f"{path}: {theirs} has the shape {actual}, not {shape}; {MEND}")
    if unknown := sorted(name for name in weights.keys() - set(names.values()) if not name.startswith(UNUSED)):
        raise UserError(f"{path}: {unknown[0]} is not a weight of ImageReward-v1.0; {MEND}")
    network.load_state_dict({name: weights[theirs] for name, theirs in names.items()})
    return network.eval()


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name; code in the pickle is not run."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of many types: pickle's, zip's, the system's
        raise UserError(f"{path}: cannot be read as a checkpoint of tensors ({first_line(error)}); {MEND}") from None
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"{path}: must hold tensors by name; {MEND}")
    return content


def _name(name: str) -> str:
    """The name in the checkpoint of one of the network's weights."""
    for ours, theirs in NAMES.items():
        name = name.replace(ours, theirs)
    return name


def _vision(weights: dict[str, Tensor]) -> BlipVisionConfig:
    prefix = "blip.visual_encoder."
    _, positions, width = weights[f"{prefix}pos_embed"].shape
    patch = weights[f"{prefix}patch_embed.proj.weight"].shape[-1]
    return BlipVisionConfig(
        hidden_size=width,
        num_attention_heads=width // ATTENTION_WIDTH,
        num_hidden_layers=len({name.split(".")[3] for name in weights if name.startswith(f"{prefix}blocks.")}),
        intermediate_size=weights[f"{prefix}blocks.0.mlp.fc1.weight"].shape[0],
        image_size=math.isqrt(positions - 1) * patch,
        patch_size=patch,
        layer_norm_eps=1e-6,
    )


def _text(path: Path, weights: dict[str, Tensor]) -> BlipTextConfig:
    stated = json_object(path)
    keys = (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "max_position_embeddings", "hidden_act", "layer_norm_eps",
    )  # fmt: skip
    return BlipTextConfig(
        encoder_hidden_size=weights["blip.visual_encoder.pos_embed"].shape[-1],
        is_decoder=True,  # has cross-attention
        bos_token_id=None,  # nothing is generated, and a small vocabulary lacks the default tokens
        sep_token_id=None,
        **{key: stated[key] for key in keys},
    )
