"""What becomes of one asset: its scene, the numbers of its steps, and its numerical health, which may end it."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from jsdpipe.scene.regularizers import OPAQUE
from jsdpipe.scene.scene import Scene

RECORDS = 50  # lines of an asset's history
NOT_FINITE = "the gradient was not finite"
NOT_OPAQUE = "the field is empty: no ray was opaque"
LIMITS = {NOT_FINITE: 10, NOT_OPAQUE: 200}  # steps in a row after which an asset has failed


class NumericalHealth:
    """How many of an asset's steps had each kind of numerical trouble: `counts`."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.counts: Counter[str] = Counter()
        self._in_a_row: Counter[str] = Counter()

    def observe(self, step: int, trouble: Mapping[str, bool]) -> str | None:
        """Count the kinds of trouble in a step; returns why the asset has failed, if one has lasted too long."""
        for kind, present in trouble.items():
            self.counts[kind] += present
            self._in_a_row[kind] = (self._in_a_row[kind] + 1) * present
            if self._in_a_row[kind] >= min(LIMITS[kind], self.steps):
                return f"{kind} in {self._in_a_row[kind]} steps in a row, until step {step}"
        return None


@dataclass
class Outcome:
    """An optimized scene, with its numerical health and the numbers of some of its steps; `reason` if it has failed.

    `steps` were made, and took `unet_samples`, the asset's part of its batch's.
    """

    scene: Scene
    health: NumericalHealth
    steps: int = 0
    unet_samples: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    reason: str | None = None

    def observe(self, step: int, finite: bool, max_opacity: float) -> None:
        """Note whether a step's gradient was finite and a ray opaque."""
        reason = self.health.observe(step, {NOT_FINITE: not finite, NOT_OPAQUE: max_opacity < OPAQUE})
        self.reason = self.reason or reason

    def record(self, step: int, steps: int, numbers: Mapping[str, float]) -> None:
        """Add a step's finite numbers to the history, if the step is due and the asset has not failed."""
        due = step % math.ceil(steps / RECORDS) == 0 or step + 1 == steps
        if due and self.reason is None:
            self.history.append({"step": step, **{k: v for k, v in numbers.items() if math.isfinite(v)}})
