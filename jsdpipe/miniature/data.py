"""The images that the miniature's models learn from: rendered once, in chunks, and composited anew at every use."""

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import atomic
from jsdpipe.base.progress import progress
from jsdpipe.base.seeding import generator, seed_of
from jsdpipe.miniature.grammar import COLORS, KINDS, Description, Thing, caption
from jsdpipe.miniature.scenes import background, compose, random_description
from jsdpipe.miniature.tracing import Layers, shade, trace

LAYERS = ("albedo", "light", "coverage")
PLAIN = ("solid", "visible", "azimuth", "elevation")
CHUNK = 2048
BATCH = 16
FORMS = {"single": 0.25, "surr": 0.3, "multi": 0.45}
USUAL_ELEVATION = (-10.0, 65.0)  # degrees; the views of the diffusion model and of distillation
EVERYWHERE = 0.4  # share of images from the whole sphere, because views from everywhere are scored
LEFT_OUT = 0.15  # share of colors and patterns that captions omit
HIDDEN = 0.05  # share of its silhouette below which a solid counts as hidden
HELD_OUT = 0.08  # approximate share of (kind, color) pairs that no model is trained on


def is_held_out(description: Description) -> bool:
    """Whether a description has a (kind, color) pair that is held out from training."""
    return any(seed_of("held out", t.kind, t.color) % 10_000 < HELD_OUT * 10_000 for t in description.things if t.color)


@dataclass(frozen=True)
class Pictures:
    """N images in layers (uint8), with what they show.

    Args:
        solid: the number of the solid at every second pixel; see `tracing.Traced`.
        visible: the share of the own silhouette that is seen, of each thing, or of thing and surrounding; 0 without a
            second.
        azimuth: of the view, in degrees.
        elevation: of the view, in degrees.
    """

    albedo: Tensor  # (N, 64, 64, 3)
    light: Tensor  # (N, 64, 64)
    coverage: Tensor  # (N, 64, 64)
    descriptions: list[Description]
    solid: Tensor  # (N, 32, 32)
    visible: Tensor  # (N, 2)
    azimuth: Tensor  # (N,)
    elevation: Tensor  # (N,)

    def __len__(self) -> int:
        return len(self.descriptions)

    def subset(self, keep: list[int]) -> "Pictures":
        """The images at the given indices."""
        return Pictures(
            self.albedo[keep],
            self.light[keep],
            self.coverage[keep],
            [self.descriptions[i] for i in keep],
            *(getattr(self, name)[keep] for name in PLAIN),
        )

    def shown(self, least: float = HIDDEN) -> Tensor:
        """Whether at least this share of each solid's silhouette is seen (N, 2), bool; true of what is not there."""
        solids = torch.tensor([[True, len(d.things) > 1 or d.surrounding is not None] for d in self.descriptions])
        return (self.visible >= least) | ~solids

    def compose(self, index: Tensor, generator: torch.Generator, unlit_on_black: float = 0.0) -> Tensor:
        """Composite images (B, 64, 64, 3) in [0, 1], drawing light and background anew.

        Args:
            index: of the images (B,).
            unlit_on_black: share of images with flat colors on black, as the protocols render meshes.
        """
        layers = Layers(*(x[index].float() / 255 for x in (self.albedo, self.light, self.coverage)))
        n = len(index)
        flat = torch.rand(n, generator=generator) < unlit_on_black
        ambient = 0.55 + 0.3 * torch.rand(n, generator=generator)
        behind = background(n, generator)
        return shade(layers, torch.where(flat[:, None], 0.0, behind), torch.where(flat, 1.0, ambient))


def view_suffix(azimuth: float, elevation: float) -> str:
    """The words for a view in degrees, with the limits of view-dependent prompts."""
    if elevation > 60:
        return ", overhead view"
    turned = abs((azimuth + 180) % 360 - 180)
    return ", front view" if turned < 45 else ", back view" if turned > 135 else ", side view"


def _like(description: Description, count: int, draw: torch.Generator) -> list[Description]:
    """Draw descriptions of the same kinds, relation and surrounding, with random colors and patterns."""
    form = "multi" if description.relation else "single"

    def repaint(thing: Thing) -> Thing:
        return replace(random_description(draw, form).things[0], kind=thing.kind)

    return [replace(description, things=tuple(repaint(t) for t in description.things)) for _ in range(count)]


def _render_chunk(seed: int, chunk: int) -> tuple[dict[str, Tensor], list[dict]]:
    draw = generator(seed, "miniature", "pictures", chunk)
    tensors: dict[str, list[Tensor]] = {name: [] for name in LAYERS + PLAIN}
    described: list[dict] = []
    forms, weights = list(FORMS), torch.tensor(list(FORMS.values()))
    for _ in range(CHUNK // BATCH):
        form = forms[int(torch.multinomial(weights, 1, generator=draw))]
        descriptions = _like(random_description(draw, form), BATCH, draw)
        azimuth = torch.rand(BATCH, generator=draw) * 360 - 180
        low, high = USUAL_ELEVATION
        usual = low + (high - low) * torch.rand(BATCH, generator=draw)
        sphere = torch.rad2deg(torch.asin(2 * torch.rand(BATCH, generator=draw) - 1))
        elevation = torch.where(torch.rand(BATCH, generator=draw) < EVERYWHERE, sphere, usual)
        turn = torch.rand(BATCH, generator=draw) * 2 * math.pi
        sun = torch.stack((0.5 * turn.cos(), 0.5 * turn.sin(), torch.ones(BATCH)), dim=-1)
        sun = functional.normalize(sun, dim=-1)
        layers = trace(compose(descriptions, draw), torch.deg2rad(azimuth), torch.deg2rad(elevation), sun)
        for name in LAYERS:
            tensors[name].append((getattr(layers, name).clamp(0, 1) * 255).round().to(torch.uint8))
        tensors["solid"].append(layers.solid[:, ::2, ::2].contiguous())
        tensors["visible"].append(functional.pad(layers.visible, (0, 2 - layers.visible.shape[1])))
        tensors["azimuth"].append(azimuth)
        tensors["elevation"].append(elevation)
        described += [asdict(d) for d in descriptions]
    return {k: torch.cat(v) for k, v in tensors.items()}, described


def render(folder: Path, count: int, seed: int = 0) -> None:
    """Render at least `count` images into chunk files of a folder; existing chunks are kept.

    From then on PyTorch has one thread: its others, which wait actively, would take cores from those that trace.
    """
    torch.set_num_threads(1)
    chunks = math.ceil(count / CHUNK)
    missing = [i for i in range(chunks) if not _chunk_file(folder, i).exists()]
    with progress("rendering the miniature world", chunks * CHUNK, start=(chunks - len(missing)) * CHUNK) as advance:
        for i in missing:
            tensors, described = _render_chunk(seed, i)
            with atomic(_chunk_file(folder, i)) as temporary:
                save_file(tensors, temporary, metadata={"descriptions": json.dumps(described)})
            advance(CHUNK)


def count(folder: Path) -> int:
    """The number of images in a folder, including those held out."""
    return CHUNK * len(list(folder.glob("chunk-*.safetensors")))


def _chunk_file(folder: Path, chunk: int) -> Path:
    return folder / f"chunk-{chunk:03d}.safetensors"


def load(folder: Path, held_out: bool, chunks: int | None = None) -> Pictures:
    """Load the images of a folder, or of its first `chunks`, that are held out from training, or those that are not."""
    parts: dict[str, list[Tensor]] = {name: [] for name in LAYERS + PLAIN}
    descriptions: list[Description] = []
    for path in sorted(folder.glob("chunk-*.safetensors"))[:chunks]:
        with safe_open(path, framework="pt") as file:
            described = [
                Description(tuple(Thing(**t) for t in d["things"]), d["relation"], d["surrounding"])
                for d in json.loads(file.metadata()["descriptions"])
            ]
            kept = [i for i, d in enumerate(described) if is_held_out(d) == held_out]
            if missing := set(parts) - set(file.keys()):
                raise UserError(f"{path}: has no {min(missing)}; it is of another version: delete it and render again")
            for name, tensors in parts.items():
                tensors.append(file.get_tensor(name)[kept])
        descriptions += [described[i] for i in kept]
    # one name at a time, because all images twice may not fit in memory
    whole = {name: torch.cat(parts.pop(name)) for name in (*parts,)}
    return Pictures(descriptions=descriptions, **whole)


def random_caption(description: Description, draw: torch.Generator, drop: float = LEFT_OUT) -> str:
    """Write a caption that omits each color and pattern with probability `drop`."""

    def keep(attribute: str | None) -> str | None:
        return None if float(torch.rand((), generator=draw)) < drop else attribute

    things = tuple(Thing(t.kind, keep(t.color), keep(t.pattern)) for t in description.things)
    return caption(Description(things, description.relation, description.surrounding))


def held_out_pairs() -> list[tuple[str, str]]:
    """List the (kind, color) pairs that no model is trained on."""
    return [(k, c) for k in KINDS for c in COLORS if is_held_out(Description((Thing(k, c),)))]
