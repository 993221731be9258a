"""The list of a run's stages: the function of each, what it reads and writes, and what its results depend on.

To add a stage, add an entry: its workflow rule, its command, and the triggers that rerun its jobs follow from it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from jsdpipe import metrics
from jsdpipe.config.scoring_models import model_roots
from jsdpipe.metrics.base import METRICS
from jsdpipe.models.roles import CAPTIONERS
from jsdpipe.objectives import OBJECTIVES

if TYPE_CHECKING:
    from jsdpipe.config.run_config import RunConfig
    from jsdpipe.pipeline.run import Run

Keys = dict[str, Any]
# the kinds of objectives that the study compares
STUDIED = ("jsd", "sdi", "sds", "sjc", "csd", "nfsd", "vsd", "sim", "asd-adversarial", "asd-asynchronous", "ism")


@dataclass(frozen=True)
class Stage:
    """A stage of a run. Each of its jobs works on one shard, or on the whole run.

    Args:
        name: the name of its rule, its logs and its folder of manifests.
        does: what a job does, followed by the name of its shard or run, such as "Render the views of".
        function: the "module:function" that a job calls with the run, and the shard if there is one. A method's
            `functions` take precedence.
        of_run: whether a job works on the whole run.
        reads_all: whether it reads all manifests of the run.
        after: the stages whose manifests of the shard it always reads.
        also_after: further stages whose manifests it reads, depending on the configuration.
        section: the section of the configuration that enables the stage; None if every run has it.
        views: whether it writes or reads the archives of the shard's views.
        protocol: whether it scores by a protocol with its own cameras, `render.<name>`.
        of_prompts: whether its records are one per prompt instead of one per asset.
        depends_on: the configuration values, by key, that its results for a method and a set depend on.
        uses: the registered modules that it runs for a method, as "module:name" or a plugin's file.
    """

    name: str
    does: str
    function: str
    of_run: bool = False
    reads_all: bool = False
    after: tuple[str, ...] = ()
    also_after: Callable[["RunConfig"], tuple[str, ...]] = lambda config: ()
    section: str | None = None
    views: Literal["write", "read"] | None = None
    protocol: bool = False
    of_prompts: bool = False
    depends_on: Callable[["Run", str, str], Keys] = lambda run, method, prompt_set: {}
    uses: Callable[["Run", str], Iterable[str]] = lambda run, method: ()

    @property
    def resources(self) -> str:
        """The key in `resources` of the configuration that holds a job's resources."""
        return "report" if self.of_run else self.name

    def reads(self, config: "RunConfig") -> tuple[str, ...]:
        """The stages whose manifests of the shard it reads."""
        return self.after + self.also_after(config)

    def function_for(self, run: "Run", method: str) -> str:
        """The "module:function" of the stage for a method; the method is "" for stages of the run."""
        return run.config.methods[method].functions.get(self.name, self.function) if method else self.function


def _depends_by_method(stage: str) -> Callable[["Run", str, str], Keys]:
    return lambda run, method, prompt_set: run.config.methods[method].depends_on(stage, run, method)


def _used_by_method(stage: str) -> Callable[["Run", str], Iterable[str]]:
    return lambda run, method: run.config.methods[method].uses(stage, run, method)


def _rendered(run: "Run", method: str, prompt_set: str) -> Keys:
    return {
        "render": run.config.render.model_dump(exclude={"keep_views"}),
        "scores": run.config.rigs,
        "report": {"turntable_views": run.config.report.turntable_views},
    }


def _quality(run: "Run", method: str, prompt_set: str) -> Keys:
    assert run.config.quality is not None
    return {"quality": run.config.quality.model_dump()}


def _alignment(run: "Run", method: str, prompt_set: str) -> Keys:
    alignment = run.config.alignment
    assert alignment is not None
    return {
        "seed": run.config.seed,
        "alignment": alignment.model_dump(exclude={"judge": {*alignment.judge.unscored}}),
        f"sets.{prompt_set}": [p.text for p in run.prompts[prompt_set]] if alignment.similarity else [],
    }


def _diversity(run: "Run", method: str, prompt_set: str) -> Keys:
    assert run.config.diversity is not None
    return {"seed": run.config.seed, "diversity": run.config.diversity.model_dump()}


def _truth(run: "Run", method: str, prompt_set: str) -> Keys:
    truth = run.config.truth
    return {"seed": run.config.seed, "truth": truth and truth.model_dump()}


def _models(section: str) -> Callable[["Run", str], Iterable[str]]:
    return lambda run, method: map(str, model_roots(run.config, section))


def _captioner(run: "Run", method: str) -> Iterable[str]:
    assert run.config.alignment is not None
    return [str(CAPTIONERS.root(run.config.alignment.captioner.kind))]


STAGES = {
    stage.name: stage
    for stage in (
        Stage(
            "generate",
            "Generate the assets of",
            "jsdpipe.generation.stage:generate",
            depends_on=_depends_by_method("generate"),
            uses=_used_by_method("generate"),
        ),
        Stage(
            "mesh",
            "Extract the meshes of",
            "jsdpipe.mesh.stage:extract",
            after=("generate",),
            depends_on=_depends_by_method("mesh"),
            uses=_used_by_method("mesh"),
        ),
        Stage(
            "render",
            "Render the views of",
            "jsdpipe.render.stage:render",
            after=("mesh",),
            views="write",
            depends_on=_rendered,
            uses=lambda run, method: [f"jsdpipe.render.{run.config.render.renderer}:prepare"],
        ),
        Stage(
            "quality",
            "Score the quality of",
            "jsdpipe.scoring.quality:score",
            after=("render",),
            section="quality",
            views="read",
            protocol=True,
            depends_on=_quality,
            uses=_models("quality"),
        ),
        Stage(
            "alignment",
            "Score the alignment of",
            "jsdpipe.scoring.alignment:score",
            after=("render",),
            section="alignment",
            views="read",
            protocol=True,
            depends_on=_alignment,
            uses=_models("alignment"),
        ),
        Stage(
            "diversity",
            "Score the diversity of",
            "jsdpipe.scoring.diversity:score",
            after=("render",),
            section="diversity",
            views="read",
            protocol=True,
            of_prompts=True,
            depends_on=_diversity,
            uses=_models("diversity"),
        ),
        Stage(
            "truth",
            "Measure against the truth the assets of",
            "jsdpipe.scoring.truth:score",
            after=("mesh",),
            section="truth",
            depends_on=_truth,
        ),
        Stage(
            "metrics",
            "Compute the metrics of",
            "jsdpipe.scoring.custom_metrics:score",
            after=("render",),
            also_after=lambda config: ("alignment",) if "captions" in metrics.needs(config) else (),
            section="metrics",
            views="read",
            depends_on=lambda run, method, prompt_set: {"metrics": run.config.metrics},
            uses=lambda run, method: [str(METRICS.root(name)) for name in run.config.metrics or []],
        ),
        Stage("tables", "Write the tables of", "jsdpipe.report.tables:write", of_run=True, reads_all=True),
        Stage("figures", "Draw the figures of", "jsdpipe.report.figures:write", of_run=True, reads_all=True),
        Stage(
            "study",
            "Study divergences and objectives for",
            "jsdpipe.study.stage:write",
            of_run=True,
            section="study",
            uses=lambda run, method: [str(OBJECTIVES.root(kind)) for kind in STUDIED],
        ),
        Stage("report", "Write the report of", "jsdpipe.report.html:write", of_run=True, reads_all=True),
    )
}
SHARD_STAGES = tuple(stage for stage in STAGES.values() if not stage.of_run)
RUN_STAGES = tuple(stage for stage in STAGES.values() if stage.of_run)
SCORES = tuple(stage.name for stage in SHARD_STAGES if stage.protocol)
# parts of a stage's results that have their own fingerprint, by stage
WITHIN = {
    "alignment": (
        Stage("captions", "Caption the views of", "jsdpipe.scoring.captions:caption_assets", uses=_captioner),
    )
}
