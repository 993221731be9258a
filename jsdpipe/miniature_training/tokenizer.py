"""The miniature's tokenizer: CLIP's byte-level BPE, with each word of the grammar as one token."""

from collections import Counter
from itertools import pairwise

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

from jsdpipe.miniature.grammar import COLORS, KINDS, PATTERNS, RELATIONS, SURROUNDINGS

CONTEXT_LENGTH = 24
END_OF_WORD = "</w>"


def words() -> list[str]:
    """All words of captions and view suffixes."""
    views = ("front", "side", "back", "overhead", "view")
    phrases = (*KINDS, *COLORS, *PATTERNS, *RELATIONS, *SURROUNDINGS, *views, "a", "an", ",")
    return list(dict.fromkeys(word for phrase in phrases for word in phrase.split()))


def build() -> CLIPTokenizer:
    """Build the tokenizer; words outside the grammar fall back to bytes."""
    alphabet = sorted(ByteLevel.alphabet())
    merges = _merges(words())
    tokens = [*alphabet, *(c + END_OF_WORD for c in alphabet), *(a + b for a, b in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=CONTEXT_LENGTH)


def _merges(words: list[str]) -> list[tuple[str, str]]:
    """The merges that make each word one token: the most frequent pair first, ties in alphabetical order.

    `tokenizers.trainers.BpeTrainer` breaks ties differently at every call.
    """
    pieces = [[*word[:-1], word[-1] + END_OF_WORD] for word in words]
    merges = []
    while counts := Counter(pair for word in pieces for pair in pairwise(word)):
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        for word in pieces:
            i = 0
            while i < len(word) - 1:
                if (word[i], word[i + 1]) == best:
                    word[i : i + 2] = ["".join(best)]
                i += 1
    return merges
