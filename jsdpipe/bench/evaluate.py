"""The cost of T3Bench's quality score: its script's way beside ours.

Its script (THU-LYJ-Lab/T3Bench) starts a renderer for every image, writes the image to a file, and gives the reward
one image a call. Both ways here look at the same mesh by the same renderer and reward, so that the ratios are of the
ways, not of libraries.
"""

import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from PIL import Image

from jsdpipe.config import RunConfig
from jsdpipe.mesh.renderers import opened
from jsdpipe.mesh.rendering import render_each
from jsdpipe.mesh.rigs import Cameras, place_for_t3bench, quality_cameras
from jsdpipe.mesh.surface import Surface
from jsdpipe.mesh.views import read_views, write_views
from jsdpipe.progress import progress
from jsdpipe.scoring.models import Reward, load

PROMPT = "a colourful boulder"
SUBDIVISIONS = 6  # of the mesh's icosphere: 81,920 triangles
VIEWS = 90  # at most, evenly spaced among the protocol's
ASSETS = 5  # scored one after the other, to see what memory does


@dataclass(frozen=True)
class Costs:
    """Seconds a view of rendering and of the whole score, the script's way and ours; peaks of memory in bytes.

    `peak`: after the first of `ASSETS` assets, and after the last.
    """

    views: int
    render: tuple[float, float]
    score: tuple[float, float]
    peak: tuple[int, int]

    def rows(self) -> list[tuple[str, ...]]:
        """A table: what, the script's way, ours, the ratio."""
        rows: list[tuple[str, ...]] = [("a view", "the script's way", "here", "ratio")]
        for what, (theirs, ours) in (("rendering", self.render), ("quality score", self.score)):
            rows.append((what, f"{1000 * theirs:.1f} ms", f"{1000 * ours:.1f} ms", f"{theirs / ours:.1f}"))
        first, last = self.peak
        rows.append(("peak memory, 1 asset", "", f"{first / 2**20:.0f} MB", ""))
        rows.append((f"{ASSETS} assets", "", f"{last / 2**20:.0f} MB", f"{last / first:.2f}"))
        return rows


def evaluate(config: RunConfig) -> Costs:
    """Time both ways on one core, with a configuration's renderer, size, quality cameras and reward."""
    torch.set_num_threads(1)
    reward: Reward = load(config.quality.reward)
    surface, cameras = place_for_t3bench(boulder()), quality_cameras(config.render.quality)
    some = torch.arange(0, len(cameras.fovy), -(-len(cameras.fovy) // VIEWS))
    cameras = Cameras(cameras.camera_to_world[some], cameras.fovy[some])
    reward.score(PROMPT, np.zeros((2, config.render.size, config.render.size, 3), np.uint8))  # a first call is slower
    peaks, ours = [], []
    with tempfile.TemporaryDirectory() as folder, progress("bench", ASSETS + 1) as advance:
        for _ in range(ASSETS):
            ours.append(_ours(config, reward, surface, cameras, Path(folder)))
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
            advance()
        theirs = _theirs(config, reward, surface, cameras, Path(folder))
        advance()
    pairs = zip(theirs, map(median, zip(*ours, strict=True)), strict=True)
    render, score = ((t / len(some), o / len(some)) for t, o in pairs)
    return Costs(len(some), render, score, (peaks[0], peaks[-1]))


def _ours(config: RunConfig, reward: Reward, surface: Surface, cameras: Cameras, folder: Path) -> tuple[float, float]:
    """Seconds of rendering, and of the whole score, as the stages do it."""
    path = folder / "views.zip"
    with _clock() as rendering, opened(surface, config.render.renderer) as renderer:
        for _ in render_each(renderer, cameras, config.render.size, config.render.supersample):
            pass
    with _clock() as whole:
        with opened(surface, config.render.renderer) as renderer:
            seen = render_each(renderer, cameras, config.render.size, config.render.supersample)
            write_views(path, {"quality": (view.rgb for view in seen)})
        reward.score(PROMPT, read_views(path, "quality"))
    return rendering[0], whole[0]


def _theirs(config: RunConfig, reward: Reward, surface: Surface, cameras: Cameras, folder: Path) -> tuple[float, float]:
    """Seconds of rendering, and of the whole score, as T3Bench's script does it."""
    spent, path = 0.0, folder / "view.png"
    with _clock() as whole:
        for pose, fovy in zip(cameras.camera_to_world, cameras.fovy, strict=True):
            with _clock() as rendering:
                picture = _alone(config, surface, Cameras(pose[None], fovy[None]))
            spent += rendering[0]
            Image.fromarray(picture).save(path)
            reward.score(PROMPT, np.asarray(Image.open(path))[None])
    return spent, whole[0]


def _alone(config: RunConfig, surface: Surface, camera: Cameras) -> NDArray[np.uint8]:
    with opened(surface, config.render.renderer) as renderer:
        [view] = render_each(renderer, camera, config.render.size, config.render.supersample)
    return view.rgb


def boulder() -> Surface:
    """A bumpy ball in many colours."""
    sphere = trimesh.creation.icosphere(subdivisions=SUBDIVISIONS)
    waves = np.sin(7 * sphere.vertices) * np.cos(5 * np.roll(sphere.vertices, 1, axis=1))
    vertices = sphere.vertices * (1 + 0.1 * waves.sum(axis=1, keepdims=True))
    return Surface.coloured(vertices, sphere.faces, ((waves + 1) * 127.5).round())


@contextmanager
def _clock() -> Iterator[list[float]]:
    """A list that holds the seconds that the context took, once it is left."""
    taken: list[float] = []
    start = time.perf_counter()
    yield taken
    taken.append(time.perf_counter() - start)
