"""An asset's mesh files: mesh.glb, perhaps mesh.obj, and mesh.json, which says what they were made from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsdpipe.base.files import read_fitting, write_json
from jsdpipe.base.progress import Advance, progress, share
from jsdpipe.base.provenance import provenance
from jsdpipe.config.prompts import Prompt
from jsdpipe.mesh import glb, obj
from jsdpipe.mesh.isosurface import EmptyField
from jsdpipe.mesh.reading import BadMesh
from jsdpipe.mesh.surface import Surface
from jsdpipe.mesh.topology import component_labels, is_watertight, merged
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.manifests import asset_record, read_manifest, write_manifest
from jsdpipe.pipeline.run import Run

Details = dict[str, Any]
Outcome = tuple[str | None, Details]  # why there is no mesh, or None; and its numbers and notes
# makes the mesh files of an asset in its folder, of a prompt and seed, unless it failed before for a reason
One = Callable[[Path, Prompt, int, str | None, Advance], Outcome]


def write_meshes(run: Run, shard: Shard, steps: int, one: One) -> None:
    """Have `one` make each asset's mesh files, in up to `steps` steps of progress, and write the shard's manifest."""
    assets, records = list(shard.assets()), []
    with progress(f"mesh {shard.name}", len(assets) * steps) as advance:
        for (prompt, seed), before in zip(assets, read_manifest(run, "generate", shard), strict=True):
            folder = run.layout.asset(shard.key(prompt.id, seed))
            with share(advance, steps) as of_asset:
                reason, numbers = one(folder, prompt, seed, before["reason"], of_asset)
            records.append(asset_record(prompt, seed, reason, **numbers))
    write_manifest(run, "mesh", shard, records, provenance())


def write_unless_current(
    folder: Path,
    failed: str | None,
    mark: Callable[[], str],
    surface: Callable[[], tuple[Surface, Details]],
    as_obj: bool = False,
) -> Outcome:
    """Write a mesh's files, unless they have this fingerprint; returns its reason, numbers and notes."""
    target, other, report = folder / "mesh.glb", folder / "mesh.obj", folder / "mesh.json"
    if failed:
        _remove(target, report, *obj.files(other))
        return failed, {}
    expected = mark()
    done = read_fitting(report, expected)
    whole = target.exists() and (other.exists() or not as_obj)
    if done is None or (done["reason"] is None and not whole):
        _remove(report, *obj.files(other))  # first, because after an interruption it would describe another mesh
        done = {"fingerprint": expected, "reason": None, "notes": [], "numbers": {}}
        try:
            found, details = surface()
        except (EmptyField, BadMesh) as error:
            _remove(target)
            done["reason"] = str(error)
        else:
            glb.save(found, target)
            if as_obj:
                obj.save(found, other)
            done |= details | {"notes": found.notes, "numbers": _numbers(found)}
        write_json(report, done)
    return done["reason"], {**done["numbers"], "notes": done["notes"]}


def _remove(*files: Path) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def _numbers(surface: Surface) -> dict[str, Any]:
    faces = merged(surface)
    return {
        "vertices": len(surface.vertices),
        "faces": len(surface.faces),
        "watertight": is_watertight(faces),
        "components": int(component_labels(faces).max()) + 1,
    }
