"""What a run will need and this machine lacks, found before its first job. Torch-free; no model is loaded."""

import os
import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from huggingface_hub.constants import is_offline_mode

from jsdpipe.base.errors import UserError
from jsdpipe.config.external import External
from jsdpipe.config.run_config import OfRecipe
from jsdpipe.pipeline.run import Run
from jsdpipe.planning.needed_models import Needed, needed
from jsdpipe.render.egl import open_context


def lacking(run: Run, name: str, stages: Collection[str]) -> list[str]:
    """What the stages that will run need and is not here: a line for each, with its key and what to do.

    `name` is what errors call the configuration. A model that its stage will download is not lacking, unless
    HF_HUB_OFFLINE forbids downloads.
    """
    return [f"{name}: {line}" for line in (*_models(run, name, stages), *_commands(run, stages), *_driver(run, stages))]


def _models(run: Run, name: str, stages: Collection[str]) -> Iterator[str]:
    recipes = any(isinstance(method, OfRecipe) for method in run.config.methods.values())
    of = {stage for stage in stages if stage != "generate" or recipes}
    for model in needed(run.config, name):
        if of.intersection(model.stages) and model.mends and (model.download is None or is_offline_mode()):
            yield _line(model)


def _line(model: Needed) -> str:
    if model.download is None:
        return f"{model.name} is missing; {model.mends[0]}"
    return f"{model.key}: {model.name} is missing, and HF_HUB_OFFLINE is set; fetch it: {model.download}"


def _commands(run: Run, stages: Collection[str]) -> Iterator[str]:
    """The external commands whose first word bash does not know."""
    for key, method in run.config.methods.items():
        if "generate" in stages and isinstance(method, External) and method.command:
            # with a placeholder, a quote or an assignment in it, only bash can tell
            word = re.match(r"\s*([\w./+-]+)(?!\S)", method.command)
            if word and not _known(word[1], method.cwd):
                yield f"methods.{key}.command: {word[1]}: no such command here; install it, or correct its name or path"


def _known(word: str, cwd: str) -> bool:
    """Whether a job's bash, which has this Python's environment in its path, knows a command in a folder."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    asked = ["bash", "-c", f"type -- {word}"]
    return subprocess.run(asked, cwd=cwd, env={**os.environ, "PATH": path}, capture_output=True).returncode == 0


def _driver(run: Run, stages: Collection[str]) -> Iterator[str]:
    if "render" in stages and run.config.render.renderer == "moderngl":
        try:
            open_context().release()
        except UserError as error:
            yield str(error)
