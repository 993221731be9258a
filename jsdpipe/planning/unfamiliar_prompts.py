"""Prompts that the miniature does not understand: warned of, and used all the same. Torch-free."""

from collections.abc import Iterable

from jsdpipe import models
from jsdpipe.base.errors import warn
from jsdpipe.config.run_config import RunConfig
from jsdpipe.miniature.grammar import parse
from jsdpipe.model_files.formats import PRIOR
from jsdpipe.models.settings import OfClip
from jsdpipe.pipeline.run import Run


def warn_of_strangers(prompts: Iterable[tuple[str, str]]) -> None:
    """Warn in one line of the prompts outside the grammar, if there are any; each is (where it stands, its text)."""
    found = [f"{place}: {reason}" for place, text in prompts if (reason := _strange(text))]
    if found:
        more = f", and {len(found) - 1} more" if found[1:] else ""
        warn(f"{found[0]}{more}; `jsdpipe make --help` says what the miniature understands")


def warn_of_strangers_in(run: Run) -> None:
    """As `warn_of_strangers`, of all prompts of a run that generates or scores with the miniature's models."""
    config = run.config
    made = any(method.optimizes for method in config.methods.values())
    if (made and config.prior and config.prior.model in PRIOR.own) or scored_by_the_miniature(config):
        warn_of_strangers((place, prompt.text) for place, prompt in run.placed_prompts())


def scored_by_the_miniature(config: RunConfig) -> bool:
    """Whether one of a configuration's scores is of the miniature's CLIP."""
    return any(isinstance(model, OfClip) for model in models.chosen(config).values())


def _strange(text: str) -> str | None:
    try:
        parse(text)
    except ValueError as error:
        return str(error)
    return None
