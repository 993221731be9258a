"""Numerical trouble of an asset: counted, and its end only when it persists."""

from collections import Counter

NOT_FINITE = "the gradient was not finite"
NOT_OPAQUE = "the field is empty: no ray was opaque"
LIMITS = {NOT_FINITE: 10, NOT_OPAQUE: 200}  # steps in a row


class Troubles:
    """What went wrong in an asset's steps: `counts` by kind, over the whole run."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.counts: Counter[str] = Counter()
        self._in_a_row: Counter[str] = Counter()

    def note(self, step: int, found: dict[str, bool]) -> str | None:
        """Count the kinds that a step shows; returns why the asset ends here, if one has gone on for too long."""
        for kind, here in found.items():
            self.counts[kind] += here
            self._in_a_row[kind] = (self._in_a_row[kind] + 1) * here
            if self._in_a_row[kind] >= min(LIMITS[kind], self.steps):
                return f"{kind} in {self._in_a_row[kind]} steps in a row, until step {step}"
        return None
