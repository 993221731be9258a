"""Tiny captioners and chat models: random weights, in the true architectures and folder layouts."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    BertTokenizer,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessorPil,
    GenerationConfig,
    Qwen2Config,
    Qwen2ForCausalLM,
    T5Config,
    T5Tokenizer,
    TokenizersBackend,
)

SHARD = "40KB"  # so small that weights come in several files, as large models' do
WORDS = ["a", "the", "red", "blue", "green", "ball", "cube", "mug", "on", "and", "of", "with", "table", "floor"]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def blip2(folder: Path) -> Path:
    """Write a model of blip2-flan-t5-xxl's architecture: EVA's tower, a Q-Former of 4 queries, T5 with gated GELU."""
    torch.manual_seed(0)
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0), *((f"▁{word}", -2.0) for word in WORDS)]
    words = T5Tokenizer(vocab=pieces, extra_ids=0)
    words.add_tokens(["<image>"], special_tokens=True)
    words.save_pretrained(folder)
    image_processor(folder)
    vision = Blip2VisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14
    )
    qformer = Blip2QFormerConfig(
        vocab_size=10, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        encoder_hidden_size=16, cross_attention_frequency=2,
    )  # fmt: skip
    text = T5Config(
        vocab_size=len(words), d_model=16, d_kv=8, d_ff=32, num_layers=1, num_decoder_layers=1, num_heads=2,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False, bos_token_id=1, eos_token_id=1, pad_token_id=0,
        decoder_start_token_id=0, initializer_factor=0.3,
    )  # fmt: skip
    config = Blip2Config(
        vision_config=vision, qformer_config=qformer, text_config=text, num_query_tokens=4,
        image_token_index=words.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    model = Blip2ForConditionalGeneration(config)
    torch.nn.init.normal_(model.query_tokens)  # as new ones they are zero, and tell nothing of the image
    seeing(model.vision_model, model.qformer, model.language_projection)
    model.save_pretrained(folder, max_shard_size=SHARD)
    return folder


def blip(folder: Path) -> Path:
    """Write a model of blip-image-captioning's architecture."""
    torch.manual_seed(0)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = BertTokenizer(vocab={token: i for i, token in enumerate([*special, *WORDS])})
    words.save_pretrained(folder)
    image_processor(folder)
    config = BlipConfig(
        vision_config={
            "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": 28, "patch_size": 14,
        },
        text_config={
            "vocab_size": len(words), "hidden_size": 16, "encoder_hidden_size": 16, "intermediate_size": 32,
            "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 64, "bos_token_id": 2,
            "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0,
        },
    )  # fmt: skip
    model = BlipForConditionalGeneration(config)
    seeing(model.vision_model, model.text_decoder.bert.encoder)
    model.save_pretrained(folder)
    return folder


def seeing(*parts: torch.nn.Module) -> None:
    """Weights large enough for the output to depend on the image."""
    for part in parts:
        for weight in part.parameters():
            if weight.ndim > 1:
                torch.nn.init.normal_(weight, std=0.5)


def image_processor(folder: Path) -> None:
    BlipImageProcessorPil(size={"height": 28, "width": 28}).save_pretrained(folder)


def chat(folder: Path, template: str | None = CHAT_TEMPLATE) -> Path:
    """Write a model of Qwen2.5-Instruct's architecture: a byte is a token; by its own settings it samples, as there.

    They also end what it says after some letters, since random weights never would.
    """
    torch.manual_seed(0)
    tokens = [*sorted(ByteLevel.alphabet()), "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    words = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=[]))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    words.post_processor = processors.ByteLevel()
    special = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "additional_special_tokens": ["<|im_start|>"]}
    TokenizersBackend(tokenizer_object=words, chat_template=template, **special).save_pretrained(folder)
    ends = [tokens.index("<|im_end|>"), tokens.index("<|endoftext|>")]
    config = Qwen2Config(
        vocab_size=len(tokens), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=32768, tie_word_embeddings=False, bos_token_id=ends[1],
        eos_token_id=ends[0], initializer_range=0.5,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config)
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=0.7, top_p=0.8, top_k=20, repetition_penalty=1.05, eos_token_id=ends,
        bos_token_id=ends[1], pad_token_id=ends[1], exponential_decay_length_penalty=(8, 1.5),
    )  # fmt: skip
    model.save_pretrained(folder, max_shard_size=SHARD)
    return folder
