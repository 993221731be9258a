"""T3Bench's alignment score (arXiv 2310.02977, section 3.3, and its authors on the mapping to percent)."""

from jsdpipe.layout import Shard
from jsdpipe.mesh.views import Views
from jsdpipe.prompts import Prompt
from jsdpipe.run import Run
from jsdpipe.scoring.assets import Numbers, score_assets
from jsdpipe.scoring.models import Captioner, Judge, load

LOWEST, HIGHEST = 1, 5


def alignment(grade: int) -> float:
    """A grade of 1 to 5 as 0 to 100; raises ValueError for any other."""
    if not LOWEST <= grade <= HIGHEST:
        raise ValueError(f"grade {grade} is not one of {LOWEST} to {HIGHEST}")
    return (grade - LOWEST) / (HIGHEST - LOWEST) * 100


def score(run: Run, shard: Shard) -> None:
    """Caption each view, merge the captions, grade the merged one; a failed asset gets the lowest grade.

    Records hold `alignment` (0 to 100), `grade`, and the merged `caption` ("" of a failed asset).
    """
    judge: Judge = load(run.config.alignment.judge)
    captioner: Captioner = load(run.config.alignment.captioner)

    def of(prompt: Prompt, seed: int, images: Views | None) -> tuple[Numbers, Numbers]:
        captions = [] if images is None else captioner.caption(images[:])
        merged = judge.merge(captions) if captions else ""
        grade = judge.grade(prompt.text, merged) if merged else LOWEST
        return {"alignment": alignment(grade), "grade": grade, "caption": merged}, {"captions": captions}

    models = {"captioner": captioner.identity, "judge": judge.identity}
    score_assets(run, shard, "alignment", {}, models, of)
