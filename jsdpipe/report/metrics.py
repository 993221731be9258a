"""What the report's numbers are: one home for each metric's label, direction and digits."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A column of the tidy tables; `spec` is the format of its values, `meaning` one line for captions."""

    name: str
    label: str
    higher_is_better: bool
    spec: str
    meaning: str

    @property
    def heading(self) -> str:
        """The label with the arrow of the better direction."""
        return f"{self.label} {'↑' if self.higher_is_better else '↓'}"

    def text(self, value: float) -> str:
        """`value` with the metric's digits and unit, without a negative zero."""
        return format(value, "z" + self.spec)

    def difference(self, value: float) -> str:
        """A difference of two values, with its sign; of shares in percentage points."""
        return format(value, "+z" + self.spec).replace("%", " pp")


SCORES = (
    Metric("quality", "Quality", True, ".1f", "20 times the best smoothed reward of the views, plus 50 (T3Bench)"),
    Metric("alignment", "Alignment", True, ".1f", "grade of the caption found in the views, 1-5 as 0-100 (T3Bench)"),
    Metric("average", "Average", True, ".1f", "mean of quality and alignment"),
)
DIVERSITY = (
    Metric("iq", "IQ", False, ".3f", "mean entropy (nats) of the classes of a view, low where each view is clear"),
    Metric("iv", "IV", True, ".3f", "entropy (nats) of the views' mean classes, high where the seeds differ"),
    Metric("cosine", "Cosine", False, ".3f", "mean cosine similarity of features between seeds at the same view"),
)
RECOGNITION = Metric(
    "recognition", "Recognition", True, ".0%", "share of the ring views whose most likely class is the prompt's"
)

OF_ASSETS = (*SCORES, RECOGNITION)
OF_PROMPTS = DIVERSITY
ALL = (*SCORES, *DIVERSITY, RECOGNITION)
