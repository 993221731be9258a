"""The cost of T3Bench's quality score: its script's way beside ours.

Its script (THU-LYJ-Lab/T3Bench, render/meshrender.py and run_eval_quality.py) gives every triangle corners of its own,
copies the scene and starts a renderer for every image, writes the image to a file, and gives the reward one image a
call. Both ways here look at the same mesh by the same renderer and reward, so that the ratios are of the ways, not of
libraries.
"""

import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from PIL import Image

from jsdpipe.base.device import available_device
from jsdpipe.base.progress import progress
from jsdpipe.config.run_config import Render, RunConfig
from jsdpipe.mesh.surface import Surface
from jsdpipe.models.protocols import Reward
from jsdpipe.models.roles import REWARDS
from jsdpipe.render.renderer import open_renderer, render_views
from jsdpipe.render.rigs import Cameras, place_for_t3bench, quality_cameras
from jsdpipe.render.view_archive import read_views, write_views

PROMPT = "a colourful boulder"
SUBDIVISIONS = 6  # of the mesh's icosphere: 81,920 triangles
VIEWS = 90  # at most, evenly spaced among the protocol's
ASSETS = 5  # scored one after the other, to see what memory does


@dataclass(frozen=True)
class Way:
    """CPU seconds of rendering, and of the whole score; the rewards (N,) that came of it."""

    render: float
    score: float
    rewards: NDArray[np.float64]


@dataclass(frozen=True)
class Costs:
    """The script's way, ours (median costs over `ASSETS`), and bytes of memory after the first asset and the last."""

    theirs: Way
    ours: Way
    peak: tuple[int, int]

    def rows(self) -> list[tuple[str, ...]]:
        """A table: what, the script's way, ours, the ratio."""
        rows: list[tuple[str, ...]] = [("CPU time a view", "the script's way", "here", "ratio")]
        views = len(self.ours.rewards)
        for what, name in (("rendering", "render"), ("quality score", "score")):
            theirs, ours = (getattr(way, name) / views for way in (self.theirs, self.ours))
            rows.append((what, f"{1000 * theirs:.1f} ms", f"{1000 * ours:.1f} ms", f"{theirs / ours:.1f}"))
        difference = np.abs(self.theirs.rewards - self.ours.rewards).max()
        rows.append(("largest difference of a reward", "", f"{difference:.1g}", ""))
        first, last = self.peak
        rows.append(("peak memory, 1 asset", "", f"{first / 2**20:.0f} MB", ""))
        rows.append((f"peak memory, {ASSETS} assets", "", f"{last / 2**20:.0f} MB", f"{last / first:.2f}"))
        return rows


def evaluate(config: RunConfig) -> Costs:
    """Time both ways with a configuration's renderer, size, quality cameras and reward.

    Times are CPU seconds of all threads, so that they are of one core, whatever else the machine is doing.
    """
    assert config.quality is not None
    torch.set_num_threads(1)
    reward = REWARDS.load(config.quality.reward, available_device())
    surface, cameras = place_for_t3bench(boulder()), quality_cameras(config.render.quality)
    some = torch.arange(0, len(cameras.fovy), -(-len(cameras.fovy) // VIEWS))
    cameras = Cameras(cameras.camera_to_world[some], cameras.fovy[some])
    reward.score(PROMPT, np.zeros((2, config.render.size, config.render.size, 3), np.uint8))  # a first call is slower
    peaks, ours = [], []
    with tempfile.TemporaryDirectory() as folder, progress("bench", ASSETS + 1) as advance:
        for _ in range(ASSETS):
            ours.append(_ours(config.render, reward, surface, cameras, Path(folder)))
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
            advance()
        theirs = _theirs(config.render, reward, surface, cameras, Path(folder))
        advance()
    render, score = (median(getattr(way, name) for way in ours) for name in ("render", "score"))
    return Costs(theirs, Way(render, score, ours[0].rewards), (peaks[0], peaks[-1]))


def _ours(config: Render, reward: Reward, surface: Surface, cameras: Cameras, folder: Path) -> Way:
    """As the stages do it."""
    path = folder / "views.zip"

    def pictures() -> Iterator[NDArray[np.uint8]]:
        with open_renderer(surface, config.renderer, solid=True) as renderer:
            yield from render_views(renderer, cameras, config.size, config.supersample)

    with _clock() as rendering:
        for _ in pictures():
            pass
    with _clock() as whole:
        write_views(path, {"quality": pictures()})
        rewards = reward.score(PROMPT, read_views(path, "quality"))
    return Way(rendering[0], whole[0], rewards)


def _theirs(config: Render, reward: Reward, surface: Surface, cameras: Cameras, folder: Path) -> Way:
    """As T3Bench's script does it."""
    rendering, rewards, path = 0.0, [], folder / "view.png"
    corners = surface.faces.ravel()
    faces = np.arange(len(corners)).reshape(-1, 3)
    apart = Surface.colored(surface.vertices[corners], faces, surface.colors[corners])
    with _clock() as whole:
        for pose, fovy in zip(cameras.camera_to_world, cameras.fovy, strict=True):
            with _clock() as one, open_renderer(deepcopy(apart), config.renderer, solid=True) as renderer:
                camera = Cameras(pose[None], fovy[None])
                [view] = render_views(renderer, camera, config.size, config.supersample)
            rendering += one[0]
            Image.fromarray(view).save(path)
            rewards.append(reward.score(PROMPT, np.asarray(Image.open(path))[None]))
    return Way(rendering, whole[0], np.concatenate(rewards))


def boulder() -> Surface:
    """A bumpy ball in many colors."""
    sphere = trimesh.creation.icosphere(subdivisions=SUBDIVISIONS)
    waves = np.sin(7 * sphere.vertices) * np.cos(5 * np.roll(sphere.vertices, 1, axis=1))
    vertices = sphere.vertices * (1 + 0.1 * waves.sum(axis=1, keepdims=True))
    return Surface.colored(vertices, sphere.faces, ((waves + 1) * 127.5).round())


@contextmanager
def _clock() -> Iterator[list[float]]:
    """A list that holds the CPU seconds that the context took, once it is left."""
    taken: list[float] = []
    start = time.process_time()
    yield taken
    taken.append(time.process_time() - start)
