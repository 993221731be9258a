"""Write surfaces as OBJ, z up as T3Bench's tools read them, with vertex colors or MTL and PNG files."""

from pathlib import Path

import numpy as np
from PIL import Image

from jsdpipe.base.files import atomic, write_text
from jsdpipe.mesh.surface import Surface


def files(path: Path) -> list[Path]:
    """List the files that `save` has written for a path: the OBJ itself, materials, textures."""
    of_it = (path, path.with_suffix(".mtl"), *sorted(path.parent.glob(f"{path.stem}-*.png")))
    return [file for file in of_it if file.exists()]


def save(surface: Surface, path: Path) -> None:
    """Write a surface, and `<stem>.mtl` and `<stem>-<n>.png` for textures; the same surface gives the same bytes."""
    plain = not surface.textures
    colors = surface.colors / 255
    lines = [] if plain else [f"mtllib {path.stem}.mtl"]
    lines += [
        "v {:.9g} {:.9g} {:.9g} {:.6g} {:.6g} {:.6g}".format(*place, *color)
        for place, color in zip(surface.vertices.tolist(), colors.tolist(), strict=True)
    ]
    lines += [] if plain else ["vt {:.9g} {:.9g}".format(*uv) for uv in surface.uv.tolist()]
    materials = []
    for index in np.unique(surface.texture).tolist():
        if not plain:
            lines.append(f"usemtl part{index + 1}")
            materials += [f"newmtl part{index + 1}", "Kd 1 1 1"]
        if index >= 0:
            image = path.with_name(f"{path.stem}-{index + 1}.png")
            materials.append(f"map_Kd {image.name}")
            with atomic(image) as temporary:
                Image.fromarray(surface.textures[index].pixels).save(temporary)
        corner = "{0}" if index < 0 else "{0}/{0}"
        faces = surface.faces[surface.texture == index] + 1
        lines += ["f " + " ".join(corner.format(at) for at in face) for face in faces.tolist()]
    if materials:
        write_text(path.with_suffix(".mtl"), "\n".join(materials) + "\n")
    write_text(path, "\n".join(lines) + "\n")
