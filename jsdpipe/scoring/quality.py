"""T3Bench's quality score (arXiv 2310.02977, section 3.2, and its public code)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jsdpipe.base.device import available_device
from jsdpipe.base.errors import UserError
from jsdpipe.config.prompts import Prompt
from jsdpipe.models.roles import REWARDS
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.run import Run
from jsdpipe.render.rigs import icosphere
from jsdpipe.render.view_archive import ViewArchive
from jsdpipe.scoring.assets import Numbers, score_assets

ROUNDS = 3


@dataclass(frozen=True)
class Quality:
    """The score, the index of the vertex that has it, and the smoothed rewards (V,) of all vertices."""

    score: float
    vertex: int
    smoothed: NDArray[np.float64]


def quality(rewards: NDArray[np.float64], neighbors: list[NDArray[np.int64]]) -> Quality:
    """20 * max + 50 of the vertices' best rewards over the fields of view, thrice averaged over the neighborhood.

    `rewards` (V, F); `neighbors`: of each vertex, its neighbors' indices, to which it counts itself. The score is not
    clipped.
    """
    values = rewards.max(axis=1)
    for _ in range(ROUNDS):
        values = np.array([(values[i] + values[near].sum()) / (len(near) + 1) for i, near in enumerate(neighbors)])
    vertex = int(values.argmax())
    return Quality(float(20 * values[vertex] + 50), vertex, values)


def score(run: Run, shard: Shard) -> None:
    """Score every asset of a shard; a failed one gets the score of all-black images.

    Records hold `quality`, `reward_mean`, and `best_view`: the index among the quality views of the best vertex' best
    field of view.
    """
    assert run.config.quality is not None
    device = available_device()
    reward = REWARDS.load(run.config.quality.reward, device)
    rig = run.config.render.quality
    _, neighbors = icosphere(rig.subdivision)
    fovs, size = len(rig.fovy_deg), run.config.render.size

    def of(prompt: Prompt, seed: int, images: ViewArchive | None) -> tuple[Numbers, Numbers]:
        if images is None:
            black = reward.score(prompt.text, np.zeros((1, size, size, 3), np.uint8))
            rewards = np.repeat(black, len(neighbors) * fovs).reshape(-1, fovs)
        else:
            # one field of view at a time, for the memory
            rewards = np.stack([reward.score(prompt.text, images[fov::fovs]) for fov in range(fovs)], axis=1)
        if not np.isfinite(rewards).all():
            raise UserError(
                f"quality.reward: a reward of {prompt.id}, seed {seed}, is not finite; set its dtype to float32, or "
                "restore its weights"
            )
        result = quality(rewards, neighbors)
        numbers = {
            "quality": result.score,
            "best_view": result.vertex * fovs + int(rewards[result.vertex].argmax()),
            "reward_mean": float(rewards.mean()),
        }
        return numbers, {"reward": rewards.tolist(), "smoothed": result.smoothed.tolist()}

    # Nothing of the configuration counts beside the views, but a failed asset's black images have a size.
    depends = {"rig": rig.model_dump(), "size": size}
    score_assets(run, shard, "quality", device, depends, {"reward": reward.identity}, of)
