"""The strict models of a run's configuration, `config.yaml`.

Torch-free until the recipes are validated, which imports the files of their objectives.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from jsdpipe import metrics
from jsdpipe.base.errors import UserError
from jsdpipe.base.fields import Elevation, Fovy, Length, NonEmpty, Steps, Strict
from jsdpipe.base.registry import OfKind, load_plugin
from jsdpipe.base.validation import NAME, at, read_yaml, validate
from jsdpipe.config.control import Control
from jsdpipe.config.external import External
from jsdpipe.config.methods import Bound, RecipeMethod
from jsdpipe.config.plausibility import warnings
from jsdpipe.config.prompts import Prompt, read_prompts
from jsdpipe.config.recipe import Recipe
from jsdpipe.config.scoring_models import check_models
from jsdpipe.config.stages import SCORES, SHARD_STAGES, STAGES
from jsdpipe.config.truth import TrueInstances, Truth
from jsdpipe.model_files.formats import PRIOR
from jsdpipe.models.roles import CAPTIONERS, CLASSIFIERS, FEATURES, JUDGES, REWARDS, SIMILARITIES, settings_of
from jsdpipe.models.settings import Settings

Name = Annotated[str, Field(pattern=NAME)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Views = Annotated[int, Field(ge=1, le=1000)]


def _outside_the_mesh(radius: float) -> float:
    """Check a camera distance: T3Bench fits meshes into [-1, 1]^3, whose corners are sqrt(3) from the center."""
    if not math.sqrt(3) < radius <= 100:
        raise ValueError(
            "must be above sqrt(3), about 1.7321, to be outside the mesh's cube [-1, 1]^3, and at most 100"
        )
    return radius


def _loaded(plugin: str) -> str:
    with at("plugins"):
        load_plugin(Path(plugin))
    return plugin


Plugin = Annotated[NonEmpty, AfterValidator(_loaded)]
CameraDistance = Annotated[float, AfterValidator(_outside_the_mesh)]


class PromptSet(Strict):
    """A file of prompts, one per line."""

    file: NonEmpty
    limit: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="use only this many prompts, from the start"
    )


def _with_kind(method: Any) -> Any:
    """A method with its kind, which is `recipe` by default."""
    if not isinstance(method, dict) or "kind" in method:
        return method
    if stray := {"path", "command"} & method.keys():
        raise ValueError(f"{min(stray)} belongs to an external method; add kind: external")
    return {"kind": "recipe"} | method


Method = Annotated[RecipeMethod | External | Truth | Control, Field(discriminator="kind"), BeforeValidator(_with_kind)]


class Prior(Strict):
    """The frozen text-to-image model: a folder in diffusers' format, a hub id, or `miniature`."""

    model: NonEmpty
    revision: str | None = None
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"


class Generation(Strict):
    """How assets are grouped into jobs and batches, and how long they are optimized."""

    shard_assets: Annotated[int, Field(ge=1, le=100_000)] = 12
    batch_assets: Annotated[int, Field(ge=1, le=1024, description="assets optimized together")] = 1
    unet_samples: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = Field(
        default=None, description="U-Net samples an asset, which set the number of steps; null: the recipe's steps"
    )
    preview_views: Views = 8


def _with_glb(formats: tuple[str, ...]) -> tuple[str, ...]:
    if "glb" not in formats:
        raise ValueError("must include glb, which the other stages read")
    return formats


class Mesh(Strict):
    """How isosurfaces are extracted and written, and how the meshes of external methods are read."""

    resolution: Annotated[int, Field(ge=8, le=1024)] | None = Field(default=None, description="required for recipes")
    threshold: Annotated[float, Field(gt=0, le=10_000)] | Literal["auto"] | None = Field(
        default=None, description="density; auto = mean of the densities above 1e-5; required for recipes"
    )
    min_component: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="components whose area is below this fraction of the largest component's are dropped"
    )
    texture: Annotated[int, Field(ge=64, le=8192)] | None = Field(
        default=None, description="texels per side of the texture; null: vertex colors"
    )
    formats: Annotated[tuple[Literal["glb", "obj"], ...], AfterValidator(_with_glb)] = ("glb",)
    missing_material: Literal["grey", "fail"] = Field(
        default="grey", description="what happens if an external mesh names a material or image that is missing"
    )


class QualityRig(Strict):
    """T3Bench's cameras for quality: the vertices of an icosphere, at several fields of view."""

    subdivision: Annotated[int, Field(ge=0, le=4)]
    radius: CameraDistance
    fovy_deg: Annotated[list[Fovy], Field(min_length=1)]


class AlignmentRig(Strict):
    """T3Bench's cameras for alignment: the vertices of an icosphere."""

    subdivision: Annotated[int, Field(ge=0, le=4)]
    radius: CameraDistance = Field(
        description="the cameras' distance; T3Bench's code applies its factor 2.2 twice, hence 4.84"
    )
    fovy_deg: Fovy


class RingRig(Strict):
    """DiverseDream's cameras: a ring around the asset."""

    views: Views
    elevation_deg: Elevation
    distance: Length
    fovy_deg: Fovy


class Render(Strict):
    """The cameras of the scores, by default those of the protocols, and the size of their images."""

    size: Annotated[int, Field(ge=16, le=4096)]
    supersample: Annotated[int, Field(ge=1, le=8)] = 1
    renderer: Literal["embree", "moderngl"] = Field(
        default="embree", description="embree: ray casting on the CPU; moderngl: OpenGL through EGL, on a GPU or Mesa"
    )
    quality: QualityRig = QualityRig(subdivision=2, radius=2.2, fovy_deg=[60.0, 45.0, 36.0, 30.0, 24.0])
    alignment: AlignmentRig = AlignmentRig(subdivision=0, radius=4.84, fovy_deg=60.0)
    diversity: RingRig = RingRig(views=120, elevation_deg=15.0, distance=1.5, fovy_deg=70.0)
    keep_views: bool = False


class Quality(Strict):
    reward: Annotated[Settings, OfKind(REWARDS, settings_of)]


class Alignment(Strict):
    captioner: Annotated[Settings, OfKind(CAPTIONERS, settings_of)]
    judge: Annotated[Settings, OfKind(JUDGES, settings_of)]
    similarity: Annotated[Settings, OfKind(SIMILARITIES, settings_of)] | None = Field(
        default=None, description="for the scores without a judge"
    )


class Diversity(Strict):
    classifier: Annotated[Settings, OfKind(CLASSIFIERS, settings_of)]
    features: Annotated[Settings, OfKind(FEATURES, settings_of)]


class Resources(Strict):
    """The resources that one job of a stage needs; memory in MB."""

    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    gpu: Annotated[int, Field(ge=0, le=64)] = 0
    mem_mb: Annotated[int, Field(ge=100, le=16_000_000)] = 3000
    runtime: Annotated[int, Field(ge=1, le=50_000, description="minutes")] = 60


class Report(Strict):
    title: str | None = Field(default=None, description="default: the run's name")
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    bootstrap: Annotated[int, Field(ge=100, le=1_000_000)] = 2000
    turntable_views: Annotated[int, Field(ge=4, le=1000)] = 24


class Study(Strict):
    """The exact study in two dimensions (`jsdpipe.study`)."""

    steps: Steps = 100
    particles: Annotated[int, Field(ge=1, le=100_000)] = 64


if TYPE_CHECKING:
    Resource = str
    Joinable = str
else:
    Resource = Literal[tuple(dict.fromkeys(stage.resources for stage in STAGES.values()))]
    # the time that generation takes is told apart
    Joinable = Literal[tuple(stage.name for stage in SHARD_STAGES if stage.name != "generate")]


class RunConfig(Strict):
    """A complete run. Scores and the study are optional: a section that is missing or null is not run."""

    # first, because fields are validated in this order, and plugins register kinds that later fields may name
    plugins: list[Plugin] = Field(
        default=[], description="Python files that register objectives, scoring models and metrics"
    )
    run: Annotated[Name, Field(description="results/<run>/")]
    seed: Seed = 0
    seeds: Annotated[list[Seed], Field(min_length=1)]
    sets: Annotated[dict[Name, PromptSet], Field(min_length=1)]
    methods: Annotated[dict[Name, Method], Field(min_length=1)]
    prior: Prior | None = Field(default=None, description="required for methods that are recipes")
    generation: Generation = Generation()
    mesh: Mesh = Mesh()
    render: Render
    quality: Quality | None = None
    alignment: Alignment | None = None
    diversity: Diversity | None = None
    truth: TrueInstances | None = Field(default=None, description="requires prompts in the miniature's grammar")
    metrics: Annotated[list[NonEmpty], Field(min_length=1)] | None = Field(
        default=None, description="names of further metrics"
    )
    resources: dict[Resource, Resources] = Field(default_factory=dict)
    joined: list[Joinable] = Field(default=[], description="stages of a shard that one job does, which imports once")
    report: Report = Report()
    study: Study | None = None

    @property
    def contestants(self) -> list[str]:
        """The names of the methods that are ranked."""
        return [name for name, method in self.methods.items() if method.ranked]

    @property
    def controls(self) -> list[str]:
        """The names of the others: truth and controls."""
        return [name for name, method in self.methods.items() if not method.ranked]

    @property
    def damages(self) -> dict[str, Control]:
        """The controls that damage what they show: all but wrong prompts."""
        controls = {name: method for name, method in self.methods.items() if isinstance(method, Control)}
        return {name: control for name, control in controls.items() if control.control != "wrong-prompt"}

    def bound(self, which: Bound) -> str | None:
        """The name of the first method whose scores are the ceiling or the floor."""
        return next((name for name, method in self.methods.items() if method.bound == which), None)

    @property
    def scores(self) -> tuple[str, ...]:
        """The run's stages that score by a protocol."""
        return tuple(stage for stage in self.stages if stage in SCORES)

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that a shard goes through, in order."""
        present = (stage for stage in SHARD_STAGES if not stage.section or getattr(self, stage.section) is not None)
        return tuple(stage.name for stage in present)

    @property
    def joined_stages(self) -> tuple[str, ...]:
        """The stages of this run that one job does, in order."""
        return tuple(stage for stage in self.stages if stage in self.joined)

    @property
    def jobs(self) -> tuple[tuple[str, ...], ...]:
        """The stages that each job of a shard does, in order; a job has the name of the first."""
        joined = self.joined_stages
        return tuple(dict.fromkeys(joined if stage in joined else (stage,) for stage in self.stages))

    @property
    def rigs(self) -> tuple[str, ...]:
        """The camera rigs whose views are rendered: those of the scores, and those that a metric needs."""
        return metrics.rigs(self)

    def need(self, *stages: str) -> Resources:
        """The resources that one job of these stages needs; if they are several, one after the other."""
        needs = [self.resources.get(STAGES[stage].resources, Resources()) for stage in stages]
        memory, runtime = max(need.mem_mb for need in needs), sum(need.runtime for need in needs)
        return needs[0].model_copy(update={"mem_mb": memory, "runtime": runtime})


def read_config(source: Path | Mapping[str, Any], name: str) -> RunConfig:
    """Read a configuration from a YAML file, or from a mapping that errors call `name`.

    Its plugins are loaded; other files that it names are not read. Raises `UserError` as `resolve` does.
    """
    return validate(RunConfig, read_yaml(source) if isinstance(source, Path) else source, name)


@dataclass(frozen=True)
class Resolved:
    """A configuration with the prompts of its sets, within and beyond their limits, and the recipes of its methods."""

    config: RunConfig
    prompts: dict[str, tuple[Prompt, ...]]
    beyond: dict[str, tuple[Prompt, ...]]
    recipes: dict[str, Recipe]


def resolve(source: Path | Mapping[str, Any], name: str = "configuration") -> Resolved:
    """Read and check a configuration with all that it names: prompt files, recipes, models and metrics.

    Plugins that recipes name are added to the configuration's. Paths are relative to the working directory.

    Args:
        source: a YAML file, or a mapping.
        name: the name of a mapping in errors.

    Raises:
        UserError: one line with the file, the key, what is wrong and what to do.
    """
    name = str(source) if isinstance(source, Path) else name
    config = read_config(source, name)
    if repeated := [seed for seed, count in Counter(config.seeds).items() if count > 1]:
        raise UserError(f"{name}: seeds: {repeated[0]} occurs twice; remove one")
    with at(name):
        _check_case("sets", config.sets)
        _check_case("methods", config.methods)
    prompts, beyond, recipes = {}, {}, {}
    for key, prompt_set in config.sets.items():
        with at(f"{name}: sets.{key}.file"):
            whole = read_prompts(Path(prompt_set.file))
        prompts[key], beyond[key] = whole[: prompt_set.limit], whole[len(whole[: prompt_set.limit]) :]
    for key, method in config.methods.items():
        with at(f"{name}: methods.{key}"):
            method.check(config, prompts, beyond)
        if method.optimizes:
            needed = {
                "prior": config.prior,
                "mesh.resolution": config.mesh.resolution,
                "mesh.threshold": config.mesh.threshold,
            }
            if missing := [needed_key for needed_key, value in needed.items() if value is None]:
                raise UserError(f"{name}: {missing[0]}: missing, but methods.{key} is a recipe; add it")
    if config.truth:
        with at(f"{name}: truth"):
            config.truth.check(len(config.seeds), prompts)
    if config.prior:
        with at(f"{name}: prior.model"):
            if folder := PRIOR.local_folder(config.prior.model, config.prior.revision):
                PRIOR.files(folder)
    with at(name):
        check_models(config)
    with at(f"{name}: metrics"):
        metrics.check(config)
    with at(f"{name}: joined"):
        _check_joined(config)
    for key, method in config.methods.items():  # last, because it imports torch
        with at(f"{name}: methods.{key}"):
            if recipe := method.recipe_with_overrides():
                recipes[key] = recipe
    with at(name):
        warnings(config, recipes)
    plugins = dict.fromkeys(config.plugins) | {
        str(path): None for method in config.methods.values() for path in method.plugins()
    }
    return Resolved(config.model_copy(update={"plugins": list(plugins)}), prompts, beyond, recipes)


def _check_joined(config: RunConfig) -> None:
    """Raise `UserError` if one job cannot do the joined stages one after the other."""
    stages = config.joined_stages
    for stage in stages[1:]:
        for key in ("threads", "gpu"):
            if getattr(config.need(stage), key) != getattr(config.need(stages[0]), key):
                raise UserError(
                    f"{stages[0]} and {stage} differ in resources.{STAGES[stage].resources}.{key}, but one job has one "
                    "number; make them equal, or remove one"
                )
    for stage in (stage for stage in config.stages if stage not in stages):
        before = [s for s in stages if s in STAGES[stage].reads(config)]
        after = [s for s in stages if stage in STAGES[s].reads(config)]
        if before and after:
            raise UserError(f"{after[0]} needs {stage}, which needs {before[0]}; add {stage}")


def _check_case(section: str, names: Iterable[str]) -> None:
    """Raise `UserError` if two names differ only in case: they would be one folder on some file systems."""
    known: dict[str, str] = {}
    for name in names:
        if (other := known.setdefault(name.casefold(), name)) != name:
            raise UserError(f"{section}: {other!r} and {name!r} differ only in case, but name folders; rename one")
