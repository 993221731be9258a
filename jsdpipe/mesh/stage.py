"""The stage `mesh`: extract assets' surfaces from their fields, or read those of external methods."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsdpipe.base.files import read_fitting, sha256, write_json
from jsdpipe.base.progress import Advance, progress, share
from jsdpipe.base.provenance import provenance
from jsdpipe.config.axes import Front, Up, VertexColors
from jsdpipe.config.external import External
from jsdpipe.config.run_config import Mesh
from jsdpipe.mesh import glb, obj
from jsdpipe.mesh.isosurface import EmptyField, sample_colors
from jsdpipe.mesh.isosurface import extract as extract_surface
from jsdpipe.mesh.reading import BadMesh, read
from jsdpipe.mesh.surface import Surface
from jsdpipe.mesh.texturing import bake_texture
from jsdpipe.mesh.topology import component_labels, is_watertight, merged
from jsdpipe.pipeline.external_assets import files_of, mesh_path
from jsdpipe.pipeline.fingerprints import fingerprint
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.manifests import asset_record, read_manifest, write_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.scene import files as scenes

Details = dict[str, Any]


def extract(run: Run, shard: Shard) -> None:
    """Write `mesh.glb` and `mesh.json` of every asset of a shard, and the shard's manifest.

    An asset whose field is empty or whose mesh file is bad gets a failed record with the reason; an asset that failed
    in an earlier stage keeps its reason.
    """
    assets, method, config = list(shard.assets()), run.config.methods[shard.method], run.config.mesh
    records, steps = [], 1 if isinstance(method, External) else config.resolution or 1
    with progress(f"mesh {shard.name}", len(assets) * steps) as advance:
        for (prompt, seed), before in zip(assets, read_manifest(run, "generate", shard), strict=True):
            folder = run.layout.asset(shard.method, shard.set, prompt.id, seed)
            with share(advance, steps) as of_asset:
                if isinstance(method, External):
                    mesh = mesh_path(run, shard, prompt, seed)
                    strict = config.missing_material == "fail"
                    options = method.up, method.front, strict, method.vertex_colors
                    reason, numbers = convert_one(folder, before["reason"], mesh, *options)
                else:
                    reason, numbers = extract_one(folder, before["reason"], config, of_asset)
            records.append(asset_record(prompt, seed, reason, **numbers))
    write_manifest(run, "mesh", shard, records, provenance())


def extract_one(folder: Path, failed: str | None, config: Mesh, advance: Advance) -> tuple[str | None, Details]:
    """Write `mesh.glb` and `mesh.json` from the field in an asset's folder, unless they are up to date.

    Args:
        failed: why the asset has no field, or None.
        advance: called up to `config.resolution` times.

    Returns:
        Why there is no mesh, or None, and the rest of the asset's record: the mesh's numbers and notes.
    """
    assert config.resolution is not None and config.threshold is not None
    resolution, level = config.resolution, config.threshold
    source = folder / "scene.safetensors"

    def surface() -> tuple[Surface, Details]:
        field = scenes.load(source)
        found, threshold = extract_surface(field, resolution, level, config.min_component, advance)
        if config.texture is not None:
            found = bake_texture(found, lambda points: sample_colors(field, points), config.texture)
        return found, {"threshold": threshold}

    taken = config.model_dump(exclude={"missing_material"})
    return _write_unless_current(folder, failed, lambda: [sha256(source), taken], surface, "obj" in config.formats)


def convert_one(
    folder: Path,
    failed: str | None,
    mesh: Path,
    up: Up | None,
    front: Front | None,
    require_materials: bool,
    vertex_colors: VertexColors = "auto",
) -> tuple[str | None, Details]:
    """As `extract_one`, from a mesh file, with the options of `read`."""
    options = up, front, require_materials, vertex_colors

    def hashes() -> list[Any]:
        return [[[str(path), sha256(path)] for path in files_of(mesh)], *options]

    return _write_unless_current(folder, failed, hashes, lambda: (_centered(read(mesh, *options)), {}))


def _write_unless_current(
    folder: Path,
    failed: str | None,
    source: Callable[[], list[Any]],
    surface: Callable[[], tuple[Surface, Details]],
    as_obj: bool = False,
) -> tuple[str | None, Details]:
    """Write a mesh's files, unless they were made from the same source; returns its reason, numbers and notes."""
    target, other, report = folder / "mesh.glb", folder / "mesh.obj", folder / "mesh.json"
    if failed:
        _remove(target, report, *obj.files(other))
        return failed, {}
    expected = fingerprint("mesh", *source())
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


def _centered(surface: Surface) -> Surface:
    """Move the centre of the bounding box to the origin; far from it, single precision would lose the shape."""
    vertices = surface.vertices
    return surface.at(vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2)


def _numbers(surface: Surface) -> dict[str, Any]:
    faces = merged(surface)
    return {
        "vertices": len(surface.vertices),
        "faces": len(surface.faces),
        "watertight": is_watertight(faces),
        "components": int(component_labels(faces).max()) + 1,
    }
