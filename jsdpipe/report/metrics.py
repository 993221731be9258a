"""What the report's numbers are: one home for each metric's label, direction and digits."""

from collections.abc import Container
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A column of the tidy tables; `spec` is the format of its values, `meaning` one line for captions.

    `of`: the stages that it is made of. `full`: the value of full marks; None where only differences mean something
    (bars from 0 would mislead).
    """

    name: str
    label: str
    higher_is_better: bool
    spec: str
    full: float | None
    meaning: str
    of: tuple[str, ...]

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
    Metric(
        "quality", "Quality", True, ".1f", 100, "20 times the best smoothed reward of the views, plus 50 (T3Bench)",
        of=("quality",),
    ),
    Metric(
        "alignment", "Alignment", True, ".1f", 100, "grade of the caption of the views, 1-5 as 0-100 (T3Bench)",
        of=("alignment",),
    ),
    Metric("average", "Average", True, ".1f", 100, "mean of quality and alignment", of=("quality", "alignment")),
)  # fmt: skip
JUDGE_FREE = (
    Metric(
        "similarity", "Text similarity", True, ".1f", None, "mean of the views' 100 max(cosine with the prompt, 0)",
        of=("alignment",),
    ),
    Metric(
        "r_precision", "R-precision", True, ".0%", 1, "share of the views nearest to their prompt, of the set's",
        of=("alignment",),
    ),
)  # fmt: skip
COSINE = Metric(
    "cosine", "Cosine", False, ".3f", None, "mean cosine similarity of features between seeds at the same view",
    of=("diversity",),
)  # fmt: skip
DIVERSITY = (
    Metric(
        "iq", "IQ", False, ".3f", None, "mean entropy (nats) of a view's classes, low where each view is clear",
        of=("diversity",),
    ),
    Metric(
        "iv", "IV", True, ".3f", None, "entropy (nats) of the views' mean classes, high where the views differ",
        of=("diversity",),
    ),
    Metric(
        "iv_per_view", "IV per view", True, ".3f", None,
        "IV of the images of one view, mean over views: high where the seeds differ, not the sides of an asset",
        of=("diversity",),
    ),
    COSINE,
)  # fmt: skip
RECOGNITION = Metric(
    "recognition", "Recognition", True, ".0%", 1, "share of the ring views whose most likely class is the prompt's",
    of=("diversity",),
)  # fmt: skip

OF_ASSETS = (*SCORES, *JUDGE_FREE, RECOGNITION)
OF_PROMPTS = DIVERSITY
ALL = (*SCORES, *JUDGE_FREE, *DIVERSITY, RECOGNITION)

Group = dict[str, tuple[Metric, ...]]
# tables with a chart each, and tables of comparisons, no wider than a page
SUMMARISED: Group = {
    "scores": SCORES,
    "similarity": JUDGE_FREE,
    "diversity": DIVERSITY,
    "recognition": (RECOGNITION,),
}
PAIRED: Group = {"paired": OF_ASSETS, "paired-diversity": OF_PROMPTS}


def scored(shown: tuple[Metric, ...], scores: Container[str]) -> tuple[Metric, ...]:
    """Those of some metrics that a run with these scores has."""
    return tuple(metric for metric in shown if all(stage in scores for stage in metric.of))


def scored_of(group: Group, scores: Container[str]) -> Group:
    """The tables of a group in a run with these scores: their metrics, and no table without any."""
    return {name: found for name, shown in group.items() if (found := scored(shown, scores))}
