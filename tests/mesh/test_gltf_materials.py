"""What of a glTF's materials counts beside colors: alpha masks and samplers; and what is noted and left out."""

import io
import json

import numpy as np
import pytest
from mesh_files import PIXELS, UV, gltf
from PIL import Image

from jsdpipe.mesh import glb
from jsdpipe.mesh.reading import BadMesh, read

ALPHAS = np.array([[0, 128], [200, 255]], np.uint8)
TEXTURE = {"baseColorTexture": {"index": 0}}


def with_alpha(folder):
    """A picture whose texels have `ALPHAS`."""
    stream = io.BytesIO()
    Image.fromarray(np.dstack([PIXELS, ALPHAS])).save(stream, "PNG")
    (folder / "skin.png").write_bytes(stream.getvalue())
    return "skin.png"


def changed(path, material=None, **tree):
    """The file with keys added to its material and to its JSON."""
    content = json.loads(path.read_text()) | tree
    content["materials"][0] |= material or {}
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("said", "factor", "own", "cutoff"),
    [
        ({}, 1, None, 0.5),  # glTF's default
        ({"alphaCutoff": 0.25}, 1, None, 0.25),
        ({"alphaCutoff": 0.25}, 0.5, None, 0.5),  # of half of the texture's alpha
        ({"alphaCutoff": 0.25}, 0.5, 0.75, 2 / 3),
    ],
)
def test_an_alpha_mask_cuts_by_the_product_of_alphas(tmp_path, said, factor, own, cutoff):
    colors = None if own is None else np.full((4, 4), (1, 1, 1, own), np.float32)
    path = gltf(tmp_path / "a.gltf", TEXTURE | {"baseColorFactor": [1, 1, 1, factor]}, colors, UV, with_alpha(tmp_path))
    surface = read(changed(path, {"alphaMode": "MASK"} | said))
    (texture,) = surface.textures
    assert texture.cutoff == pytest.approx(cutoff)
    assert np.array_equal(texture.pixels, np.dstack([PIXELS, ALPHAS]))


def test_what_a_mask_leaves_whole_has_no_alpha_and_what_it_takes_is_no_part(tmp_path):
    path = gltf(tmp_path / "a.gltf", TEXTURE, uv=UV, image=with_alpha(tmp_path))
    (texture,) = read(changed(path, {"alphaMode": "MASK", "alphaCutoff": 0})).textures
    assert texture.cutoff == 0 and np.array_equal(texture.pixels, PIXELS)
    with pytest.raises(BadMesh, match="triangles"):
        read(changed(path, {"alphaMode": "MASK", "alphaCutoff": 1.1}))
    for alpha in (0.4, 0.6):
        path = changed(gltf(tmp_path / "b.gltf", {"baseColorFactor": [1, 1, 1, alpha]}), {"alphaMode": "MASK"})
        if alpha < 0.5:
            with pytest.raises(BadMesh, match="triangles"):
                read(path)
        else:
            assert len(read(path).faces) == 2


@pytest.mark.parametrize(("number", "wrap"), [(None, "repeat"), (10497, "repeat"), (33071, "clamp"), (33648, "mirror")])
def test_samplers_and_masks_are_kept_in_a_run_s_own_mesh(tmp_path, number, wrap):
    sampler = {"wrapS": number} if number else {}
    tree = {"samplers": [sampler, {}], "textures": [{"source": 0, "sampler": 0}]}
    path = changed(gltf(tmp_path / "a.gltf", TEXTURE, uv=UV, image=with_alpha(tmp_path)), {"alphaMode": "MASK"}, **tree)
    surface = read(path)
    glb.save(surface, tmp_path / "b.glb")
    for of in (surface, glb.load(tmp_path / "b.glb")):
        (texture,) = of.textures
        assert (texture.wrap, texture.cutoff) == ((wrap, "repeat"), 0.5)
        assert np.array_equal(texture.pixels, np.dstack([PIXELS, ALPHAS]))


OPAQUE = {"baseColorFactor": [1, 1, 1, 1]}
UNLIKE = np.array([[1, 1, 1, 1]] * 3 + [[1, 1, 1, 0.2]], np.float32)
LAMP = {"KHR_lights_punctual": {"lights": [{"type": "point"}]}}


@pytest.mark.parametrize(
    ("material", "colors", "said", "tree", "word"),
    [
        (OPAQUE, None, {"alphaMode": "BLEND"}, {}, None),
        (OPAQUE, None, {}, {}, None),
        ({"baseColorFactor": [1, 1, 1, 0.5]}, None, {}, {}, None),  # opaque, as glTF says
        ({"baseColorFactor": [1, 1, 1, 0.5]}, None, {"alphaMode": "BLEND"}, {}, "through"),
        (OPAQUE, UNLIKE, {"alphaMode": "BLEND"}, {}, "through"),
        (TEXTURE, None, {"alphaMode": "BLEND"}, {}, "through"),
        (OPAQUE, UNLIKE, {"alphaMode": "MASK"}, {}, "alpha"),
        (OPAQUE, None, {"emissiveFactor": [0, 0, 1]}, {}, "light"),
        (OPAQUE, None, {}, {"extensions": LAMP}, "lights"),
    ],
)
def test_what_is_left_out_is_noted(tmp_path, material, colors, said, tree, word):
    path = gltf(tmp_path / "a.gltf", material, colors, UV, with_alpha(tmp_path))
    notes = [note for note in read(changed(path, said, **tree)).notes if "vertex colors" not in note]
    assert [word in note for note in notes] == [True] * (word is not None)


def test_points_and_textures_without_coordinates_are_noted(tmp_path):
    path = gltf(tmp_path / "a.gltf", TEXTURE, image=with_alpha(tmp_path))
    tree = json.loads(path.read_text())
    tree["meshes"][0]["primitives"].append({"attributes": {"POSITION": 0}, "mode": 0})
    path.write_text(json.dumps(tree))
    first, second = sorted(read(path).notes)
    assert "points" in first and "coordinates" in second
