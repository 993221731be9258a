"""Requirements of a run that this machine lacks, found before the first job. Torch-free; no model is loaded."""

from collections.abc import Collection, Iterator

from huggingface_hub.constants import is_offline_mode

from jsdpipe.base.errors import UserError
from jsdpipe.pipeline.run import Run
from jsdpipe.planning.needed_models import Needed, needed
from jsdpipe.render.egl import open_context


def lacking(run: Run, name: str, stages: Collection[str]) -> list[str]:
    """Lines on what the stages that will run need and this machine lacks, each with the key and what to do.

    Errors call the configuration `name`. A model that its stage can download is not reported, unless HF_HUB_OFFLINE
    forbids downloads.
    """
    return [f"{name}: {line}" for line in (*_models(run, name, stages), *_methods(run, stages), *_driver(run, stages))]


def _models(run: Run, name: str, stages: Collection[str]) -> Iterator[str]:
    optimized = any(method.optimizes for method in run.config.methods.values())
    stages_with_models = {stage for stage in stages if stage != "generate" or optimized}
    for model in needed(run.config, name):
        if (
            stages_with_models.intersection(model.stages)
            and model.mends
            and (model.download is None or is_offline_mode())
        ):
            yield _line(model)


def _line(model: Needed) -> str:
    if model.download is None:
        return f"{model.name} is missing; {model.mends[0]}"
    return f"{model.key}: {model.name} is missing, and HF_HUB_OFFLINE is set; download it: {model.download}"


def _methods(run: Run, stages: Collection[str]) -> Iterator[str]:
    for name, method in run.config.methods.items():
        if "generate" in stages and (missing := method.lacks()):
            yield f"methods.{name}.{missing}"


def _driver(run: Run, stages: Collection[str]) -> Iterator[str]:
    if "render" in stages and run.config.render.renderer == "moderngl":
        try:
            open_context().release()
        except UserError as error:
            yield str(error)
