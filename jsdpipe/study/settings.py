"""The objectives of part B and their settings, in one place.

They are the recipes' own, so the papers' and their public code's, and what changes over a run changes at the same share
of the study's shorter one. At the guidance `exact` all scales are 1, so that the guided prediction is the target's own.
"""

from typing import Any, Literal

from jsdpipe.config.recipes import load_recipe

Guidance = Literal["exact", "published"]
GUIDANCE: tuple[Guidance, ...] = ("exact", "published")

RECIPES = ("jsdlr", "sdi", "sds", "sjc", "csd", "nfsd", "vsd", "asd-adversarial", "asd-asynchronous", "ism")
# what the plane asks for otherwise: half the inversion steps, as in the miniature; an adapter of another kind, which
# learns in few steps; a bad "prompt" of its own
OTHERWISE: dict[str, Any] = {
    "inversion_steps": 5,
    "adapter_lr": 0.01,
    "negative_prompt": "the middle",
}
SCALES = {"guidance_scale": 1.0, "inversion_scale": -1.0}

LABELS = {
    "jsd": "JSD", "sdi": "SDI", "sds": "SDS", "sjc": "SJC", "csd": "CSD", "nfsd": "NFSD", "vsd": "VSD",
    "asd-adversarial": "ASD (adversarial)", "asd-asynchronous": "ASD (asynchronous)", "ism": "ISM",
}  # fmt: skip


def settings(guidance: Guidance, steps: int) -> list[Any]:
    """The settings of every kind of objective, for a run of `steps`."""
    found = []
    for name in RECIPES:
        recipe = load_recipe(name)
        stated = {key: _within(value, steps / recipe.steps) for key, value in recipe.objective}
        exchanged = OTHERWISE | (SCALES if guidance == "exact" else {})
        stated |= {key: value for key, value in exchanged.items() if key in stated}
        found.append(type(recipe.objective)(**stated))
    return found


def _within(value: Any, share: float) -> Any:
    """A setting of a run of which only a share is walked: the steps of its schedules in proportion."""
    if isinstance(value, tuple) and len(value) == 4:
        return (round(value[0] * share), *value[1:3], round(value[3] * share))
    return tuple(_within(end, share) for end in value) if isinstance(value, tuple) else value
