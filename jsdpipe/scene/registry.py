"""The kinds of scene, one subfolder each, named as the `kind` in its settings.

`<kind>/settings.py` defines one subclass of `SceneSettings`, torch-free. `<kind>/scene.py` defines `build` and
`restore`, which take the same arguments as those here; it is imported when a scene of that kind is made.
"""

import importlib
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from jsdpipe.scene.settings import SceneSettings

if TYPE_CHECKING:
    import torch

    from jsdpipe.scene.scene import Scene, SceneBatch

KINDS = sorted(path.parent.name for path in Path(__file__).parent.glob("*/settings.py"))


def _settings_of(kind: str) -> type[SceneSettings]:
    module = importlib.import_module(f"jsdpipe.scene.{kind}.settings")
    (model,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, SceneSettings) and value is not SceneSettings
    )
    return model


if TYPE_CHECKING:
    SceneField = SceneSettings
else:
    # the settings of a scene of any kind
    SceneField = Annotated[reduce(or_, map(_settings_of, KINDS)), Field(discriminator="kind")]


def build(settings: SceneSettings, generators: "Sequence[torch.Generator]") -> "SceneBatch":
    """The initial parameters of a batch of scenes, one scene a generator, which draws them."""
    batch: SceneBatch = _module(settings).build(settings, generators)
    return batch


def restore(settings: SceneSettings, tensors: "Mapping[str, torch.Tensor]") -> "Scene":
    """A frozen scene from its settings and `Scene.tensors()`; `ValueError` if names or shapes don't match."""
    try:
        scene: Scene = _module(settings).restore(settings, tensors)
    except (KeyError, RuntimeError) as error:
        raise ValueError(" ".join(str(error).split())) from None
    return scene


def _module(settings: SceneSettings) -> Any:
    return importlib.import_module(f"jsdpipe.scene.{settings.kind}.scene")
