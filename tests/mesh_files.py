"""Meshes' files of two triangles, written by hand."""

import base64
import io
import json

import numpy as np
from PIL import Image

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 2, 0], [0, 2, 3]], np.float32)
TWO = np.array([[0, 1, 2], [0, 2, 3]], np.uint32)
UV = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
PIXELS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)


def png(pixels=PIXELS):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def gltf(path, material=None, colors=None, uv=None, image=None, vertices=CORNERS, faces=TWO, uv_1=None, **tree):
    """A glTF file of one mesh, written without trimesh, its buffers and image in data URIs unless `image` is a name."""
    types = {("f", 4): 5126, ("i", 2): 5122, ("u", 1): 5121, ("u", 2): 5123, ("u", 4): 5125}
    arrays = {
        "POSITION": vertices,
        "COLOR_0": colors,
        "TEXCOORD_0": uv,
        "TEXCOORD_1": uv_1,
        "indices": faces.reshape(-1),
    }
    arrays = {name: array for name, array in arrays.items() if array is not None}
    accessors = [
        {
            "bufferView": index, "count": len(array), "normalized": array.dtype.kind in "iu",
            "componentType": types[array.dtype.kind, array.dtype.itemsize],
            "type": "SCALAR" if array.ndim == 1 else f"VEC{array.shape[1]}",
        }
        for index, array in enumerate(arrays.values())
    ]  # fmt: skip
    places = {name: index for index, name in enumerate(arrays)}
    primitive = {"indices": places.pop("indices"), "attributes": places}
    uris = ["data:application/octet-stream;base64," + base64.b64encode(a.tobytes()).decode() for a in arrays.values()]
    content = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "accessors": accessors,
        "bufferViews": [{"buffer": i, "byteLength": a.nbytes} for i, a in enumerate(arrays.values())],
        "buffers": [{"uri": uri, "byteLength": a.nbytes} for uri, a in zip(uris, arrays.values(), strict=True)],
    }
    if material is not None:
        primitive["material"] = 0
        content["materials"] = [{"pbrMetallicRoughness": material}]
    if image is not None:
        content["images"], content["textures"] = [{"uri": image}], [{"source": 0}]
    path.write_text(json.dumps(content | tree))
    return path


def obj(folder, body, mtl=None, name="mesh.obj", image="skin.png"):
    """An OBJ file of the two triangles, whose faces and materials `body` states, with its MTL and image."""
    vertices = "".join(f"v {x} {y} {z}\n" for x, y, z in CORNERS) + "".join(f"vt {u} {v}\n" for u, v in UV)
    (folder / name).write_text(vertices + body)
    if mtl is not None:
        (folder / "mesh.mtl").write_text(mtl)
        (folder / image).parent.mkdir(exist_ok=True)
        (folder / image).write_bytes(png())
    return folder / name
