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
        """A difference of two values, with its sign."""
        return format(value, "+z" + self.spec)


SCORES = (
    Metric("quality", "Quality", True, ".1f", "20 x (best smoothed reward of the views) + 50"),
    Metric("alignment", "Alignment", True, ".1f", "the judge's grade of the found caption, 1-5 as 0-100"),
    Metric("average", "Average", True, ".1f", "mean of quality and alignment"),
)
DIVERSITY = (
    Metric("iq", "IQ", False, ".3f", "mean entropy of the classifier over the views: low where each view is clear"),
    Metric("iv", "IV", True, ".3f", "entropy of the mean class distribution: high where the seeds differ"),
    Metric("cosine", "Cosine", False, ".3f", "mean similarity of features between seeds at the same view"),
)
RECOGNITION = Metric("recognition", "Recognition", True, ".0%", "share of the ring views named as the prompt's kind")

OF_ASSETS = (*SCORES, RECOGNITION)
OF_PROMPTS = DIVERSITY
ALL = (*SCORES, *DIVERSITY, RECOGNITION)
