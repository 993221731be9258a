"""The metrics that the stages `quality`, `alignment`, `diversity` and `truth` compute, and their groups.

They are separate from the code that computes them, so that a changed label or caption does not rerun the scores.
"""

from jsdpipe.metrics.base import Group, Metric, declare
from jsdpipe.miniature.likeness import MET, NEAR, SIMILAR

SCORES = Group(
    "scores",
    "T3Bench scores",
    "T3Bench scores:",
    compared_in="paired",
    empty="",
    counts_assets=True,
    ungraded="The judge gave no grade to {count} of all assets; they have no alignment and no average, and these means "
    "leave them out.",
)
SIMILARITY = Group(
    "similarity",
    "Alignment without a judge",
    "Alignment without a judge, by the cosine similarity of views and prompts:",
    "R-precision needs a set of two or more prompts, and is lower for larger sets.",
    empty="The configuration names no model for the similarity.",
    compared_in="paired",
)
DIVERSITY = Group(
    "diversity",
    "Diversity",
    "Diversity over the {seeds} seeds of a prompt:",
    "A prompt counts if two or more of its assets did not fail. IQ ≤ IV per view ≤ IV: the first difference shows how "
    "much the seeds differ, the second how much the sides of an asset differ. Broken assets also have a low cosine, so "
    "compare it with quality.",
    empty="No prompt has two assets, so there is no diversity to measure.",
    of_prompt=False,
)
RECOGNITION = Group(
    "recognition",
    "Recognition",
    "Recognition by a classifier:",
    "A prompt counts if it names exactly one class of the classifier.",
    empty="No prompt names exactly one class of the classifier.",
    compared_in="paired",
)
TRUTH = Group(
    "truth",
    "Distance from the truth",
    "Distance from the nearest of the true instances, drawn from the miniature world for each prompt:",
)

BUILT_IN = (
    Metric(
        "quality", "Quality", "higher", ".1f", SCORES,
        "20 times the best smoothed reward of the views, plus 50 (T3Bench, arXiv 2310.02977)",
        full=100, failed="the quality of black images", stages=("quality",),
    ),
    Metric(
        "alignment", "Alignment", "higher", ".1f", SCORES,
        "the judge's grade of what the views show, 1 to 5 as 0 to 100 (T3Bench)",
        full=100, failed=0, stages=("alignment",),
    ),
    Metric(
        "average", "Average", "higher", ".1f", SCORES,
        "mean of quality and alignment",
        full=100, stages=("quality", "alignment"),
    ),
    Metric(
        "similarity", "Text similarity", "higher", ".1f", SIMILARITY,
        "100 times the cosine of view and prompt, 0 if negative; mean over the views (CLIPScore, arXiv 2104.08718)",
        failed=0, stages=("alignment",),
    ),
    Metric(
        "r_precision", "R-precision", "higher", ".0%", SIMILARITY,
        "share of the views that are closer to their prompt than to any other of the set (CLIP R-Precision)",
        full=1, failed=0, stages=("alignment",),
    ),
    Metric(
        "iq", "IQ", "lower", ".3f", DIVERSITY,
        "mean entropy (nats) of the classes of a view: low if every view is clear (DiverseDream, arXiv 2312.02192)",
        per="prompt", stages=("diversity",),
    ),
    Metric(
        "iv", "IV", "higher", ".3f", DIVERSITY,
        "entropy (nats) of the mean classes of all views: high if the views differ",
        per="prompt", stages=("diversity",),
    ),
    Metric(
        "iv_per_view", "IV per view", "higher", ".3f", DIVERSITY,
        "IV over the seeds at one view, mean over the views: high if the seeds differ, not just the sides of an asset",
        per="prompt", stages=("diversity",),
    ),
    Metric(
        "cosine", "Cosine", "lower", ".3f", DIVERSITY,
        "cosine similarity of two seeds' features at the same view, mean over pairs and views",
        per="prompt", stages=("diversity",),
    ),
    Metric(
        "recognition", "Recognition", "higher", ".0%", RECOGNITION,
        "share of the ring views whose most likely class is the one that the prompt names",
        full=1, failed=0, stages=("diversity",),
    ),
    Metric(
        "chamfer", "Chamfer", "lower", ".3f", TRUTH,
        "mean distance from a point of asset or truth to the nearest one of the other; their sizes (RMS) are 1",
        failed=1, stages=("truth",),
    ),
    Metric(
        "color_error", "Color error", "lower", ".1f", TRUTH,
        "mean CIELAB distance of the colors at these points",
        failed=100, stages=("truth",),
    ),
    Metric(
        "silhouette", "Silhouette", "higher", ".0%", TRUTH,
        f"share of a ring's views with the silhouette of a true instance (intersection over union of {MET} or more)",
        full=1, failed=0, stages=("truth",),
    ),
    Metric(
        "parts", "Parts", "higher", ".0%", TRUTH,
        "share of what the prompt names that is there in its color: each thing, the ground, and how two are arranged",
        full=1, failed=0, stages=("truth",),
    ),
    Metric(
        "f_score", "F-score", "higher", ".0%", TRUTH,
        f"harmonic mean of the shares of the asset's and of the true points with a point of the other within {NEAR}",
        full=1, failed=0, stages=("truth",),
    ),
    Metric(
        "colored_f_score", "Colored F-score", "higher", ".0%", TRUTH,
        f"F-score of points whose nearest one has a similar color too, within {SIMILAR:g} in CIELAB",
        full=1, failed=0, stages=("truth",),
    ),
)  # fmt: skip

for _metric in BUILT_IN:
    declare(_metric, __name__)
