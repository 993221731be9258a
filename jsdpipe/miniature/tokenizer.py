"""The miniature's tokenizer: CLIP's byte-level BPE, in which every word of the grammar is one token."""

import json

from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import CLIPTokenizer

from jsdpipe.miniature.grammar import COLOURS, KINDS, PATTERNS, RELATIONS, SURROUNDINGS

CONTEXT_LENGTH = 24
END_OF_WORD = "</w>"


def words() -> list[str]:
    """Every word of the captions and the view suffixes."""
    views = ("front", "side", "back", "overhead", "view")
    phrases = (*KINDS, *COLOURS, *PATTERNS, *RELATIONS, *SURROUNDINGS, *views, "a", "an", ",")
    return list(dict.fromkeys(word for phrase in phrases for word in phrase.split()))


def build() -> CLIPTokenizer:
    """The tokenizer; what is outside the grammar falls into bytes, so that no prompt is unknown."""
    trained = Tokenizer(BPE(end_of_word_suffix=END_OF_WORD))
    trainer = BpeTrainer(vocab_size=10_000, min_frequency=0, end_of_word_suffix=END_OF_WORD, show_progress=False)
    trained.train_from_iterator(words(), trainer)
    alphabet = sorted(ByteLevel.alphabet())
    merges = [tuple(pair) for pair in _merges(trained)]
    tokens = [*alphabet, *(c + END_OF_WORD for c in alphabet), *(a + b for a, b in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=CONTEXT_LENGTH)


def _merges(tokenizer: Tokenizer) -> list[list[str]]:
    return json.loads(tokenizer.to_str())["model"]["merges"]
