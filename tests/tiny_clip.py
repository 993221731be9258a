"""A tiny random CLIP in open_clip's local-dir format, as the miniature's is, small enough for any test."""

import json
from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file

from jsdpipe.miniature_training import tokenizer as miniature_tokenizer


def make_clip(folder: Path, image_size: int = 64, mean: float = 0.1, std: float = 0.2) -> Path:
    """Write the tiny model into `folder`; the seed is fixed, so two tiny models are the same."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = miniature_tokenizer.build()
    tokenizer.save_pretrained(folder)
    model_cfg = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": image_size, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": {
            "context_length": miniature_tokenizer.CONTEXT_LENGTH,
            "vocab_size": len(tokenizer),
            "hf_tokenizer_name": "local",  # any true value: open_clip then reads the tokenizer of this folder
            "width": 32,
            "heads": 2,
            "layers": 2,
            "pool_type": "eos",
            "eos_id": tokenizer.eos_token_id,
            "pad_id": tokenizer.pad_token_id,
        },
    }
    preprocess_cfg = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic"}
    config = {"model_cfg": model_cfg, "preprocess_cfg": preprocess_cfg}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = open_clip.CLIP(**model_cfg)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    (folder / "normalisation.json").write_text(json.dumps({"mean": mean, "std": std}))
    return folder
