"""The stage `render`: assets' views by the protocols' cameras, and their turntables."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jsdpipe.base.files import atomic, read_fitting, sha256, write_json
from jsdpipe.base.progress import Advance, progress, share
from jsdpipe.base.provenance import provenance
from jsdpipe.config.run_config import Render, RingRig
from jsdpipe.mesh import glb
from jsdpipe.pipeline.fingerprints import code, fingerprint
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.manifests import asset_record, read_manifest, write_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.render import rigs
from jsdpipe.render.renderer import Renderer, open_renderer, render_views
from jsdpipe.render.view_archive import read_comment, write_views

TURNTABLE_SIZE = 160
TURNTABLE_SUPERSAMPLE = 2
TURNTABLE_S = 3.0
BLACK = 3  # of 255; darker views are nearly black
ALL_BLACK = "All its views are black: its colors are, or it is too small to be seen."


def render(run: Run, shard: Shard) -> None:
    """Write the view archive, `turntable.webp` and `render.json` of every asset with a mesh, and the shard's manifest.

    An archive has a folder for each rig that is needed: `quality/`, `alignment/`, `diversity/`.
    """
    assets, config, method = list(shard.assets()), run.config.render, run.config.methods[shard.method]
    frames, solid = run.config.report.turntable_views, method.closed
    cameras = _cameras(config, run.config.rigs)
    by = code(run, "render", shard)
    records, count = [], sum(len(of_rig.fovy) for of_rig in cameras.values())
    # the workflow expects the folder even if all assets failed
    run.layout.views_folder(shard).mkdir(parents=True, exist_ok=True)
    with progress(f"render {shard.name}", len(assets) * count) as advance:
        for (prompt, seed), before in zip(assets, read_manifest(run, "mesh", shard), strict=True):
            folder = run.layout.asset(shard.key(prompt.id, seed))
            views, notes = run.layout.views(shard, prompt.id, seed), list[str]()
            with share(advance, count) as of_asset:
                if before["reason"]:
                    for file in (views, folder / "turntable.webp", folder / "render.json"):
                        file.unlink(missing_ok=True)
                else:
                    notes = _render(folder, views, by, config, cameras, frames, solid, of_asset)
            records.append(asset_record(prompt, seed, before["reason"], notes))
    write_manifest(run, "render", shard, records, provenance())


def _cameras(config: Render, wanted: Sequence[str]) -> dict[str, rigs.Cameras]:
    """The cameras of each rig, in the order of its views."""
    cameras = {
        "quality": rigs.quality_cameras(config.quality),
        "alignment": rigs.alignment_cameras(config.alignment),
        "diversity": rigs.ring_cameras(config.diversity),
    }
    return {rig: cameras[rig] for rig in wanted}


def _render(
    folder: Path,
    views: Path,
    by: str,
    config: Render,
    cameras: dict[str, rigs.Cameras],
    frames: int,
    solid: bool,
    advance: Advance,
) -> list[str]:
    """Render the asset in a folder, unless its files are up to date; returns the notes on it."""
    source, turntable, report = (folder / name for name in ("mesh.glb", "turntable.webp", "render.json"))
    expected = fingerprint(by, sha256(source), config.model_dump(exclude={"keep_views"}), list(cameras), frames)
    done = read_fitting(report, expected)
    if done is not None and read_comment(views) == expected and turntable.exists():
        notes: list[str] = done["notes"]
        return notes
    brightest = 0
    surface, ring = glb.load(source), config.diversity
    with (
        open_renderer(rigs.place_for_t3bench(surface), config.renderer, solid) as t3bench,
        open_renderer(rigs.place_for_ring(surface, ring), config.renderer, solid) as around,
    ):

        def pictures(of: Renderer, cameras: rigs.Cameras) -> Iterator[NDArray[np.uint8]]:
            nonlocal brightest
            for view in render_views(of, cameras, config.size, config.supersample):
                brightest = max(brightest, int(view.max()))
                yield view
                advance()

        _write_turntable(around, ring, frames, turntable)
        of_rigs: dict[str, Iterable[NDArray[np.uint8]]] = {
            rig: pictures(around if rig == "diversity" else t3bench, of_rig) for rig, of_rig in cameras.items()
        }
        write_views(views, of_rigs, comment=expected)
    notes = [ALL_BLACK] if cameras and brightest <= BLACK else []
    write_json(report, {"fingerprint": expected, "notes": notes})
    return notes


def _write_turntable(renderer: Renderer, rig: RingRig, frames: int, path: Path) -> None:
    """Write an endless animation of one turn of a surface placed for the ring, from azimuth 0."""
    cameras = rigs.ring_cameras(rig.model_copy(update={"views": frames}))
    views = render_views(renderer, cameras, TURNTABLE_SIZE, TURNTABLE_SUPERSAMPLE)
    first, *rest = (Image.fromarray(view) for view in views)
    with atomic(path) as temporary:
        duration = round(1000 * TURNTABLE_S / frames)
        first.save(temporary, save_all=True, append_images=rest, duration=duration, loop=0, quality=90, method=4)
