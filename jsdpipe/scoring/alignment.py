"""T3Bench's alignment score (arXiv 2310.02977, section 3.3, and its authors on the mapping to percent)."""

from jsdpipe.base.device import available_device
from jsdpipe.config.prompts import Prompt
from jsdpipe.models.language_judge import Unanswered
from jsdpipe.models.roles import JUDGES
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.run import Run
from jsdpipe.render.view_archive import ViewArchive
from jsdpipe.scoring.assets import Numbers, score_assets
from jsdpipe.scoring.captions import caption_assets
from jsdpipe.scoring.similarity import JudgeFree

LOWEST, HIGHEST = 1, 5


def alignment(grade: int) -> float:
    """A grade of 1 to 5 as 0 to 100; raises ValueError for any other."""
    if not LOWEST <= grade <= HIGHEST:
        raise ValueError(f"grade {grade} is not one of {LOWEST} to {HIGHEST}")
    return (grade - LOWEST) / (HIGHEST - LOWEST) * 100


def score(run: Run, shard: Shard) -> None:
    """Merge the captions of each asset's views, and grade the merged one; a failed asset gets the lowest grade.

    Records hold `alignment` (0 to 100), `grade`, and the merged `caption` ("" of a failed asset); where the
    configuration has a model for them, also `similarity` and `r_precision` (`JudgeFree`). An asset whose judge does not
    answer in form fails here: it has a reason, and neither alignment nor grade, and the next run of the stage asks
    again. An asset's file holds the captions of its views, the judge's raw answers, and the views' cosines with the
    prompt and with its nearest rival.
    """
    assert run.config.alignment is not None
    again = f"to ask again, run the workflow with --forcerun {run.layout.manifest('alignment', shard)}"
    device = available_device()
    of_views, captioner = caption_assets(run, shard, device)
    judge = JUDGES.load(run.config.alignment.judge, device, run.layout.judge_calls)
    judge_free = JudgeFree.of(run, shard, device)

    def of(prompt: Prompt, seed: int, views: ViewArchive | None) -> tuple[Numbers, Numbers]:
        captions = of_views.get((prompt.id, seed), [])
        merged = ""
        try:
            merged = judge.merge(captions) if captions else ""
            grade = judge.grade(prompt.text, merged) if merged else LOWEST
            numbers: Numbers = {"alignment": alignment(grade), "grade": grade}
        except Unanswered as error:
            numbers = {"alignment": None, "grade": None, "reason": f"{error}; {again}"}
        details: Numbers = {"captions": captions, "answers": judge.transcript()}
        more, by_view = judge_free.score(prompt.text, None if views is None else views[:]) if judge_free else ({}, {})
        return numbers | {"caption": merged} | more, details | by_view

    models = {"captioner": captioner, "judge": judge.identity}
    if judge_free:
        models["similarity"] = judge_free.model.identity
    texts = judge_free.texts if judge_free else []
    score_assets(run, shard, "alignment", device, {"texts": texts}, models, of)
