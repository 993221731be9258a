"""The metrics that the stages `quality`, `alignment` and `diversity` compute, and their groups.

They are apart from the code that computes them, so that a label or caption is no reason to score again.
"""

from jsdpipe.metrics.base import Group, Metric, declare

SCORES = Group(
    "scores",
    "Quality and alignment",
    "Scores:",
    compared_in="paired",
    empty="",
    counts_assets=True,
    ungraded="{count} of all assets got no grade from the judge: their alignment and average are unknown, and left "
    "out of the means.",
)
SIMILARITY = Group(
    "similarity",
    "Alignment without a judge",
    "Alignment without a judge, by the cosines of the alignment's views with the prompts:",
    "R-precision only of prompts that are not their set's only one; it falls with the number of the set's prompts. A "
    "failed asset counts as 0.",
    empty="The configuration names no model of the similarity.",
    compared_in="paired",
)
DIVERSITY = Group(
    "diversity",
    "Diversity",
    "Diversity over the {seeds} seeds of a prompt:",
    "Only prompts with two assets or more count. IQ ≤ IV per view ≤ IV: the first step is how much the seeds differ, "
    "the second how much the sides of an asset do. Cosine falls for broken assets too: read it beside quality.",
    empty="No prompt has two assets, so there is no diversity to measure.",
)
RECOGNITION = Group(
    "recognition",
    "Recognition",
    "Recognition: share of the ring views whose most likely class is the prompt's;",
    "Only prompts that name exactly one class count; a failed asset counts as 0.",
    empty="No prompt names exactly one class of the classifier.",
    compared_in="paired",
)

BUILT_IN = (
    Metric(
        "quality", "Quality", "higher", ".1f", SCORES,
        "20 times the best smoothed reward of the views, plus 50 (T3Bench)", full=100,
        failed="the quality of black images", stages=("quality",),
    ),
    Metric(
        "alignment", "Alignment", "higher", ".1f", SCORES, "grade of the caption of the views, 1-5 as 0-100 (T3Bench)",
        full=100, failed=0, stages=("alignment",),
    ),
    Metric(
        "average", "Average", "higher", ".1f", SCORES, "mean of quality and alignment",
        full=100, stages=("quality", "alignment"),
    ),
    Metric(
        "similarity", "Text similarity", "higher", ".1f", SIMILARITY,
        "mean of the views' 100 max(cosine with the prompt, 0)", stages=("alignment",),
    ),
    Metric(
        "r_precision", "R-precision", "higher", ".0%", SIMILARITY,
        "share of the views nearest to their prompt, of the set's", full=1, stages=("alignment",),
    ),
    Metric(
        "iq", "IQ", "lower", ".3f", DIVERSITY, "mean entropy (nats) of a view's classes, low where each view is clear",
        per="prompt", stages=("diversity",),
    ),
    Metric(
        "iv", "IV", "higher", ".3f", DIVERSITY,
        "entropy (nats) of the views' mean classes, high where the views differ", per="prompt", stages=("diversity",),
    ),
    Metric(
        "iv_per_view", "IV per view", "higher", ".3f", DIVERSITY,
        "IV of the images of one view, mean over views: high where the seeds differ, not the sides of an asset",
        per="prompt", stages=("diversity",),
    ),
    Metric(
        "cosine", "Cosine", "lower", ".3f", DIVERSITY,
        "mean cosine similarity of features between seeds at the same view", per="prompt", stages=("diversity",),
    ),
    Metric(
        "recognition", "Recognition", "higher", ".0%", RECOGNITION,
        "share of the ring views whose most likely class is the prompt's", full=1, stages=("diversity",),
    ),
)  # fmt: skip

for _metric in BUILT_IN:
    declare(_metric, __name__)
