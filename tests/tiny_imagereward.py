"""A tiny random ImageReward: the true names and layout of its checkpoint, in any size."""

import json
from pathlib import Path
from typing import Any

import torch

WORDS = ("a", "red", "blue", "ball", "mush", "##room", "on", "the", "floor", ",")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SMALL = {
    "width": 128, "layers": 2, "patch": 16, "side": 3,
    "text": {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 3},
}  # fmt: skip
LARGE = {
    "width": 1024, "layers": 24, "patch": 16, "side": 14,
    "text": {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12},
}  # fmt: skip


def make_vocabulary(folder: Path) -> Path:
    """Write a vocabulary of few words in BERT's format."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join((*SPECIAL, *WORDS)) + "\n")
    return folder


def make_imagereward(folder: Path, sizes: dict[str, Any] = SMALL) -> Path:
    """Write the checkpoint and the text encoder's configuration; the seed is fixed.

    Weights are drawn so that scores differ between images and texts by about as much as those of the trained model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = {
        "architectures": ["BertModel"], "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1, "initializer_range": 0.02, "layer_norm_eps": 1e-12, "max_position_embeddings": 64,
        "model_type": "bert", "pad_token_id": 0, "type_vocab_size": 2, "encoder_width": 768,
        "add_cross_attention": True, "vocab_size": len(SPECIAL) + len(WORDS) + 2, **sizes["text"],
    }  # fmt: skip
    (folder / "med_config.json").write_text(json.dumps(text))
    torch.save(_state(sizes, text), folder / "ImageReward.pt")
    return folder


def _state(sizes: dict[str, Any], text: dict[str, Any]) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    state: dict[str, torch.Tensor] = {}

    def normal(name: str, *shape: int, std: float = 1.0) -> None:
        state[name] = std * torch.randn(*shape, generator=draw)

    def linear(name: str, inputs: int, outputs: int) -> None:
        normal(f"{name}.weight", outputs, inputs, std=inputs**-0.5)
        normal(f"{name}.bias", outputs, std=0.1)

    def norm(name: str, size: int) -> None:
        normal(f"{name}.weight", size, std=0.1)
        state[f"{name}.weight"] += 1
        normal(f"{name}.bias", size, std=0.1)

    width, patch, eye = sizes["width"], sizes["patch"], "blip.visual_encoder"
    normal(f"{eye}.cls_token", 1, 1, width)
    normal(f"{eye}.pos_embed", 1, sizes["side"] ** 2 + 1, width)
    normal(f"{eye}.patch_embed.proj.weight", width, 3, patch, patch, std=(3 * patch**2) ** -0.5)
    normal(f"{eye}.patch_embed.proj.bias", width, std=0.1)
    for i in range(sizes["layers"]):
        block = f"{eye}.blocks.{i}"
        norm(f"{block}.norm1", width)
        linear(f"{block}.attn.qkv", width, 3 * width)
        linear(f"{block}.attn.proj", width, width)
        norm(f"{block}.norm2", width)
        linear(f"{block}.mlp.fc1", width, 4 * width)
        linear(f"{block}.mlp.fc2", 4 * width, width)
    norm(f"{eye}.norm", width)

    hidden, inner, reader = text["hidden_size"], text["intermediate_size"], "blip.text_encoder"
    state[f"{reader}.embeddings.position_ids"] = torch.arange(text["max_position_embeddings"])[None]
    normal(f"{reader}.embeddings.word_embeddings.weight", text["vocab_size"], hidden)
    normal(f"{reader}.embeddings.position_embeddings.weight", text["max_position_embeddings"], hidden)
    norm(f"{reader}.embeddings.LayerNorm", hidden)
    for i in range(text["num_hidden_layers"]):
        layer = f"{reader}.encoder.layer.{i}"
        for attention, source in (("attention", hidden), ("crossattention", width)):
            linear(f"{layer}.{attention}.self.query", hidden, hidden)
            linear(f"{layer}.{attention}.self.key", source, hidden)
            linear(f"{layer}.{attention}.self.value", source, hidden)
            linear(f"{layer}.{attention}.output.dense", hidden, hidden)
            norm(f"{layer}.{attention}.output.LayerNorm", hidden)
        linear(f"{layer}.intermediate.dense", hidden, inner)
        linear(f"{layer}.output.dense", inner, hidden)
        norm(f"{layer}.output.LayerNorm", hidden)

    linear("blip.vision_proj", width, 256)
    linear("blip.text_proj", hidden, 256)
    heads = (hidden, 1024, 128, 64, 16, 1)
    for index, inputs, outputs in zip((0, 2, 4, 6, 7), heads, heads[1:], strict=False):
        linear(f"mlp.layers.{index}", inputs, outputs)
    return state
