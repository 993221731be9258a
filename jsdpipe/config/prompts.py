"""Prompts with stable ids, read from files with one prompt per line."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from jsdpipe.base.errors import UserError
from jsdpipe.base.validation import at
from jsdpipe.miniature import PROMPTS

SLUG_LENGTH = 40
OWN = Path("prompts/miniature")  # names the package's own prompts from any working directory
# Unicode categories that prompts must not contain
UNFIT = {"Cc": "control character", "Zl": "control character", "Zp": "control character", "Cs": "broken character"}


@dataclass(frozen=True)
class Prompt:
    """A prompt and its id, which is used in paths."""

    id: str
    text: str


def prompt_id(text: str) -> str:
    """An id: a slug of the text's ASCII letters and digits, and 8 hex digits of the text's SHA-256."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_text)[:SLUG_LENGTH].strip("-") or "prompt"
    return f"{slug}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def to_prompt(text: str) -> Prompt:
    """A line as a prompt, without surrounding space; raises `UserError` if it is empty or not one line of text."""
    text = text.strip()
    if not text:
        raise UserError("empty prompt; write a prompt or remove the line")
    for character in text:
        if character != "\t" and (unfit := UNFIT.get(unicodedata.category(character))):
            raise UserError(f"{unfit} U+{ord(character):04X} in the prompt; remove it")
    return Prompt(prompt_id(text), text)


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """The prompts of a UTF-8 file with one prompt per line; space around a prompt is dropped.

    If a file of `prompts/miniature/` is not in the working directory, the package's file is read.

    Raises:
        UserError: the file is missing, empty, unreadable or not UTF-8; or a line, whose number is given, is empty, a
            duplicate, or has a control character.
    """
    place = PROMPTS / path.name if path.parent == OWN and not path.exists() else path
    try:
        text = place.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        hint = "; fetch it with `jsdpipe prompts fetch t3bench`" if "t3bench" in path.parts else ""
        raise UserError(f"{path}: no such prompt file{hint or '; create it with one prompt per line'}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path}: prompt file cannot be read ({error.strerror}); correct the path") from None
    except ValueError:  # with a null byte
        raise UserError(f"{path}: prompt file cannot be read (not a valid file name); correct the path") from None
    lines = text.removesuffix("\n").split("\n") if text.strip() else []
    if not lines:
        raise UserError(f"{path}: holds no prompt; write one prompt per line")
    prompts: dict[Prompt, int] = {}
    for number, line in enumerate(lines, start=1):
        with at(f"{path}: line {number}"):
            prompt = to_prompt(line)
            if prompt in prompts:
                raise UserError(f"same prompt as line {prompts[prompt]}; remove one")
        prompts[prompt] = number
    return tuple(prompts)
