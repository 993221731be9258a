"""Prompts that a run's models cannot read, which are refused, or do not understand, which are warned of. Torch-free."""

from collections.abc import Iterable

from jsdpipe.base.errors import warn
from jsdpipe.base.validation import at
from jsdpipe.config.run_config import RunConfig
from jsdpipe.config.scoring_models import check_prompt, chosen
from jsdpipe.miniature.grammar import parse
from jsdpipe.model_files.formats import PRIOR
from jsdpipe.models.miniature_clip import MiniatureClip
from jsdpipe.pipeline.run import Run


def check_prompts(run: Run) -> None:
    """Raise `UserError`, with set, file and line, for a prompt that one of the run's models cannot read."""
    for place, prompt in run.placed_prompts():
        with at(place):
            check_prompt(run.config, prompt.text)


def warn_of_unfamiliar(prompts: Iterable[tuple[str, str]]) -> None:
    """Warn in one line of the prompts outside the miniature's grammar; each is (where it stands, its text)."""
    found = [f"{place}: {reason}" for place, text in prompts if (reason := _unfamiliar(text))]
    if found:
        more = f", and {len(found) - 1} more" if found[1:] else ""
        warn(f"{found[0]}{more}; `jsdpipe make --help` says what the miniature understands")


def warn_of_unfamiliar_in(run: Run) -> None:
    """As `warn_of_unfamiliar`, of all prompts of a run that generates or scores with the miniature's models."""
    config = run.config
    made = any(method.optimizes for method in config.methods.values())
    if (made and config.prior and config.prior.model in PRIOR.own) or scored_by_the_miniature(config):
        warn_of_unfamiliar((place, prompt.text) for place, prompt in run.placed_prompts())


def scored_by_the_miniature(config: RunConfig) -> bool:
    """Whether one of a configuration's scores comes from the miniature's CLIP."""
    return any(isinstance(model, MiniatureClip.Settings) for model in chosen(config).values())


def _unfamiliar(text: str) -> str | None:
    try:
        parse(text)
    except ValueError as error:
        return str(error)
    return None
