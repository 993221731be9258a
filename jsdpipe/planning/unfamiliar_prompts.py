"""Errors for prompts that a run's models cannot read, warnings for those they were not trained on. Torch-free."""

from collections.abc import Iterable

from jsdpipe.base.errors import warn
from jsdpipe.base.validation import at
from jsdpipe.config.run_config import RunConfig
from jsdpipe.config.scoring_models import check_prompt, chosen
from jsdpipe.miniature.grammar import parse
from jsdpipe.model_files.formats import PRIOR
from jsdpipe.models.settings import Packaged
from jsdpipe.pipeline.run import Run


def check_prompts(run: Run) -> None:
    """Raise `UserError`, with set, file and line, for a prompt that one of the run's models cannot read."""
    for place, prompt in run.placed_prompts():
        with at(place):
            check_prompt(run.config, prompt.text)


def warn_of_unfamiliar(prompts: Iterable[tuple[str, str]]) -> None:
    """Warn in one line of prompts outside the miniature's grammar; `prompts` are pairs (place, text)."""
    unfamiliar = [f"{place}: {reason}" for place, text in prompts if (reason := _unfamiliar(text))]
    if unfamiliar:
        more = f", and {len(unfamiliar) - 1} more" if unfamiliar[1:] else ""
        warn(f"{unfamiliar[0]}{more}; `jsdpipe make --help` lists what the miniature understands")


def warn_of_unfamiliar_in(run: Run) -> None:
    """As `warn_of_unfamiliar`, for all prompts of a run that generates or scores with the miniature's models."""
    config = run.config
    made = any(method.optimizes for method in config.methods.values())
    if (made and config.prior and config.prior.model in PRIOR.own) or scored_by_the_miniature(config):
        warn_of_unfamiliar((place, prompt.text) for place, prompt in run.placed_prompts())


def scored_by_the_miniature(config: RunConfig) -> bool:
    """Whether one of the miniature's models makes any score of a configuration."""
    return any(isinstance(model, Packaged) for model in chosen(config).values())


def _unfamiliar(text: str) -> str | None:
    try:
        parse(text)
    except ValueError as error:
        return str(error)
    return None
