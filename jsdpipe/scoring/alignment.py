"""T3Bench's alignment score (arXiv 2310.02977, section 3.3, and its authors on the mapping to percent)."""

from jsdpipe.layout import Shard
from jsdpipe.mesh.views import Views
from jsdpipe.prompts import Prompt
from jsdpipe.run import Run
from jsdpipe.scoring.assets import Numbers, score_assets
from jsdpipe.scoring.models import Captioner, load, load_judge
from jsdpipe.scoring.models.language_judge import Unanswered
from jsdpipe.scoring.similarity import JudgeFree
from jsdpipe.seeding import seed_of

LOWEST, HIGHEST = 1, 5


def alignment(grade: int) -> float:
    """A grade of 1 to 5 as 0 to 100; raises ValueError for any other."""
    if not LOWEST <= grade <= HIGHEST:
        raise ValueError(f"grade {grade} is not one of {LOWEST} to {HIGHEST}")
    return (grade - LOWEST) / (HIGHEST - LOWEST) * 100


def score(run: Run, shard: Shard) -> None:
    """Caption each view, merge the captions, grade the merged one; a failed asset gets the lowest grade.

    Records hold `alignment` (0 to 100), `grade`, and the merged `caption` ("" of a failed asset); where the
    configuration has a model for them, also `similarity` and `r_precision` (`JudgeFree`). An asset whose judge does not
    answer in form fails here: it has a reason, and neither alignment nor grade. An asset's file holds the captions of
    its views, their cosines with the prompt, and the judge's raw answers.
    """
    judge = load_judge(run.config.alignment.judge, run.layout.judge_calls)
    captioner: Captioner = load(run.config.alignment.captioner)
    judge_free = JudgeFree.of(run, shard)

    def of(prompt: Prompt, seed: int, views: Views | None) -> tuple[Numbers, Numbers]:
        images = None if views is None else views[:]
        draws = seed_of(run.config.seed, prompt.id, seed, "captions")  # of equal views equal ones, whatever the method
        captions = [] if images is None else captioner.caption(images, draws)
        merged = ""
        try:
            merged = judge.merge(captions) if captions else ""
            grade = judge.grade(prompt.text, merged) if merged else LOWEST
            numbers: Numbers = {"alignment": alignment(grade), "grade": grade}
        except Unanswered as error:
            numbers = {"alignment": None, "grade": None, "reason": str(error)}
        more, of_views = judge_free.score(prompt.text, views) if judge_free else ({}, {})
        details = {"captions": captions, "answers": judge.transcript()}
        return numbers | {"caption": merged} | more, details | of_views

    models = {"captioner": captioner.identity, "judge": judge.identity}
    if judge_free:
        models["similarity"] = judge_free.model.identity
    texts = judge_free.texts if judge_free else []
    score_assets(run, shard, "alignment", {"texts": texts}, models, of)
