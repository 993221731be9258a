"""glTF as it is met in the wild: materials, texture coordinates, accessors, nodes, and what is refused."""

import base64
import json

import numpy as np
import pytest
import trimesh
from mesh_files import CORNERS, PIXELS, TWO, UV, gltf, png

from jsdpipe.mesh.reading import BadMesh, read

FACTOR = [0.2, 0.4, 1.0, 0.5]  # by IEC 61966-2-1 stored as 124, 170, 255; the alpha is ignored
BYTES = np.array([[255, 0, 0, 9], [0, 255, 0, 9], [0, 0, 255, 9], [255, 255, 255, 9]], np.uint8)


@pytest.mark.parametrize(
    ("material", "colors", "expected"),
    [
        (None, None, [[102, 102, 102]] * 4),
        ({}, None, [[255, 255, 255]] * 4),  # glTF's default
        ({"baseColorFactor": FACTOR}, None, [[124, 170, 255]] * 4),
        (None, BYTES, BYTES[:, :3]),
        (None, BYTES[:, :3].copy(), BYTES[:, :3]),
        (None, (BYTES / 255).astype(np.float32), BYTES[:, :3]),
        ({}, (BYTES.astype(np.uint16) * 257), BYTES[:, :3]),
        ({"baseColorFactor": FACTOR}, BYTES, [[124, 0, 0], [0, 170, 0], [0, 0, 255], [124, 170, 255]]),
    ],
)
def test_colors_of_a_gltf(tmp_path, material, colors, expected):
    surface = read(gltf(tmp_path / "a.gltf", material, colors))
    assert np.array_equal(surface.colors, expected)
    assert surface.textures == () and set(surface.texture) == {-1}


def test_a_texture_stays_as_it_is_beside_the_colors_that_it_is_multiplied_by(tmp_path):
    (tmp_path / "skin.png").write_bytes(png())
    material = {"baseColorFactor": FACTOR, "baseColorTexture": {"index": 0}}
    surface = read(gltf(tmp_path / "a.gltf", material, BYTES, UV, "skin.png"))
    assert np.array_equal(surface.colors, [[124, 0, 0], [0, 170, 0], [0, 0, 255], [124, 170, 255]])
    assert np.array_equal(surface.uv, np.stack([UV[:, 0], 1 - UV[:, 1]], axis=1))  # v upwards
    (texture,) = surface.textures
    assert np.array_equal(texture.pixels, PIXELS)
    assert list(surface.texture) == [0, 0]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"texCoord": 1}, [[0.25, 1], [0.75, 0.5]]),
        ({"texCoord": 0, "extensions": {"KHR_texture_transform": {"texCoord": 1}}}, [[0.25, 1], [0.75, 0.5]]),
        ({"extensions": {"KHR_texture_transform": {"offset": [0.5, 0.25]}}}, [[0.5, 0.75], [1.5, -0.25]]),
        # (1, 1) scaled to (2, 1), turned where v points down to (1, -2), shifted to (1.5, -1.75)
        (
            {"extensions": {"KHR_texture_transform": {"offset": [0.5, 0.25], "rotation": np.pi / 2, "scale": [2, 1]}}},
            [[0.5, 0.75], [1.5, 2.75]],
        ),
    ],
)
def test_texture_coordinates_are_those_that_the_texture_names(tmp_path, said, expected):
    """Of the first and the third corner, v upwards."""
    second = np.array([[0.25, 0], [0, 0], [0.75, 0.5], [0, 0]], np.float32)
    (tmp_path / "skin.png").write_bytes(png())
    material = {"baseColorTexture": {"index": 0} | said}
    surface = read(gltf(tmp_path / "a.gltf", material, uv=UV, image="skin.png", uv_1=second), up="z", front="x")
    places = [np.flatnonzero((surface.vertices == corner).all(axis=1))[0] for corner in CORNERS[[0, 2]]]
    np.testing.assert_allclose(surface.uv[places], expected, atol=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_quantised_texture_coordinates_are_shares(tmp_path, kind):
    (tmp_path / "skin.png").write_bytes(png())
    stored = (UV * np.iinfo(kind).max).astype(kind)
    surface = read(gltf(tmp_path / "a.gltf", {"baseColorTexture": {"index": 0}}, uv=stored, image="skin.png"))
    assert np.array_equal(surface.uv, np.stack([UV[:, 0], 1 - UV[:, 1]], axis=1))


def test_quantised_places_are_shares(tmp_path):
    stored = np.array([[0, 0, 0], [32767, 0, 0], [-32767, -32768, 0], [0, 0, 16384]], np.int16)
    nodes = [{"mesh": 0, "scale": [2, 2, 2], "translation": [1, 0, 0]}]
    surface = read(gltf(tmp_path / "a.gltf", vertices=stored, nodes=nodes), up="z")
    expected = [[1, 0, 0], [3, 0, 0], [-1, -2, 0], [1, 0, 2 * 16384 / 32767]]
    np.testing.assert_allclose(surface.vertices, expected)


def edited(path, change):
    """The file with its JSON changed."""
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))
    return path


@pytest.mark.parametrize("whole", [True, False])
def test_sparse_accessors_are_filled_in(tmp_path, whole):
    """In place of stored values, and of zeros."""

    def sparse(tree):
        content = np.array([1, 2], np.uint16).tobytes() + np.array([[5, 6, 7], [8, 9, 1]], np.float32).tobytes()
        tree["buffers"].append({"uri": "data:;base64," + base64.b64encode(content).decode(), "byteLength": 28})
        tree["bufferViews"] += [{"buffer": 2, "byteLength": 4}, {"buffer": 2, "byteOffset": 4, "byteLength": 24}]
        tree["accessors"][0]["sparse"] = {
            "count": 2, "indices": {"bufferView": 2, "componentType": 5123}, "values": {"bufferView": 3},
        }  # fmt: skip
        if not whole:
            del tree["accessors"][0]["bufferView"]

    surface = read(edited(gltf(tmp_path / "a.gltf"), sparse), up="z")
    expected = np.array([[0, 0, 0], [5, 6, 7], [8, 9, 1], [0, 2, 3] if whole else [0, 0, 0]])
    assert np.array_equal(surface.vertices[surface.faces], expected[TWO])


@pytest.mark.parametrize(("mode", "expected"), [(5, [{0, 1, 2}, {1, 2, 3}]), (6, [{0, 1, 2}, {0, 2, 3}])])
def test_strips_and_fans_are_triangles(tmp_path, mode, expected):
    def change(tree):
        tree["meshes"][0]["primitives"][0]["mode"] = mode
        tree["meshes"][0]["primitives"].append({"attributes": {"POSITION": 0}, "mode": 1})  # lines

    surface = read(edited(gltf(tmp_path / "a.gltf", faces=np.arange(4, dtype=np.uint32)), change), up="z")
    assert np.array_equal(surface.vertices, CORNERS)
    assert [set(face) for face in surface.faces.tolist()] == expected


def test_nodes_are_placed_by_those_above_them(tmp_path):
    """A mirrored one below a turned one, and one by a matrix, of columns."""
    quarter = [0, 0, np.sqrt(0.5), np.sqrt(0.5)]  # x to y
    nodes = [
        {"children": [1], "rotation": quarter, "translation": [10, 0, 0]},
        {"mesh": 0, "scale": [-1, 1, 1], "translation": [0, 0, 5]},
        {"mesh": 0, "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 3, 0, 0, 7, 0, 1]},
        {"mesh": 0, "translation": [1000, 0, 0]},  # of another scene
    ]
    path = gltf(tmp_path / "a.gltf", nodes=nodes, scene=1, scenes=[{"nodes": [3]}, {"nodes": [0, 2]}])
    x, y, z = CORNERS.T
    # mirrored (-x, y, z + 5), turned (-y, -x, z + 5), shifted (10 - y, -x, z + 5)
    expected = np.concatenate([np.stack([10 - y, -x, z + 5], axis=1), np.stack([x, y + 7, 3 * z], axis=1)])
    np.testing.assert_allclose(read(path, up="z").vertices, expected, atol=1e-12)


def test_names_may_be_percent_encoded(tmp_path):
    def change(tree):
        (tmp_path / "a b.bin").write_bytes(CORNERS.tobytes())
        tree["buffers"][0]["uri"] = "a%20b.bin"

    (tmp_path / "ein Bär.png").write_bytes(png())
    path = gltf(tmp_path / "a.gltf", {"baseColorTexture": {"index": 0}}, uv=UV, image="ein%20B%C3%A4r.png")
    surface = read(edited(path, change), up="z")
    assert np.array_equal(surface.vertices, CORNERS)
    assert np.array_equal(surface.textures[0].pixels, PIXELS)


def test_older_materials_become_base_colors(tmp_path):
    """`KHR_materials_pbrSpecularGlossiness`: a dielectric has its diffuse color, a metal its specular one."""
    for of, expected in (
        ({"diffuseFactor": [0.2, 0.4, 1, 1], "specularFactor": [0.04, 0.04, 0.04]}, (124, 170, 255)),
        ({"diffuseFactor": [0, 0, 0, 1], "specularFactor": [1, 0.6, 0.2]}, (255, 203, 124)),
    ):
        glossy = {"extensions": {"KHR_materials_pbrSpecularGlossiness": of}}
        surface = read(gltf(tmp_path / "a.gltf", {}, materials=[glossy]))
        assert np.abs(surface.colors - np.array(expected)).max() <= 2, of
    (tmp_path / "skin.png").write_bytes(png())
    of = {"diffuseTexture": {"index": 0, "texCoord": 1}, "specularFactor": [0.04, 0.04, 0.04]}
    glossy = {"extensions": {"KHR_materials_pbrSpecularGlossiness": of}}
    surface = read(gltf(tmp_path / "a.gltf", {}, uv_1=UV, image="skin.png", materials=[glossy]))
    assert np.abs(surface.textures[0].pixels.astype(int) - PIXELS).max() <= 1
    assert np.ptp(surface.uv) == 1


IMAGE = {"uri": "data:image/ktx2;base64,AAAA", "mimeType": "image/ktx2"}


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"extensionsRequired": ["KHR_materials_unlit", "KHR_draco_mesh_compression"]}, "KHR_draco_mesh_compression"),
        ({"extensionsRequired": ["EXT_meshopt_compression"]}, "EXT_meshopt_compression"),
        (
            {"textures": [{"extensions": {"KHR_texture_basisu": {"source": 0}}}], "images": [IMAGE]},
            "texture 0 .*KHR_texture_basisu",
        ),
        ({"textures": [{"source": 0}], "images": [IMAGE]}, "image 0, image/ktx2"),
        ({"asset": {"version": "1.0"}}, r"1\.0.*2\.0"),
    ],
)
def test_what_is_not_read_is_refused(tmp_path, tree, said):
    path = gltf(tmp_path / "a.gltf", {"baseColorTexture": {"index": 0}}, uv=UV, **tree)
    with pytest.raises(BadMesh, match=f"^{path}: .*{said}"):
        read(path)


def test_extensions_and_images_that_do_not_matter_do_not_hinder(tmp_path):
    def change(tree):
        tree["materials"][0]["normalTexture"] = {"index": 0}

    needed = ["KHR_materials_unlit", "KHR_mesh_quantization", "KHR_texture_transform"]
    tree = {"textures": [{"source": 0}], "images": [IMAGE], "extensionsRequired": needed}
    path = edited(gltf(tmp_path / "a.gltf", {"baseColorFactor": FACTOR}, uv=UV, **tree), change)
    assert (read(path).colors == (124, 170, 255)).all()


@pytest.mark.parametrize(
    ("material", "colors", "expected"),
    [
        ({}, None, (102, 102, 102)),
        ({"baseColorFactor": FACTOR}, None, (124, 170, 255)),
        ({}, np.full((4, 3), (0, 255, 0), np.uint8), (0, 255, 0)),
    ],
)
def test_a_picture_that_is_not_there_is_noted_and_other_colors_stay(tmp_path, material, colors, expected):
    textured = material | {"baseColorTexture": {"index": 0}}
    path = gltf(tmp_path / "a.gltf", textured, colors=colors, uv=UV, image="none.png")
    surface = read(path)
    assert (surface.colors == expected).all() and surface.textures == ()
    assert sum("none.png" in note for note in surface.notes) == 1
    with pytest.raises(BadMesh, match=r"none\.png"):
        read(path, require_materials=True)


def test_emitted_light_is_noted(tmp_path):
    def change(tree):
        tree["materials"][0]["emissiveFactor"] = [1, 0.5, 0]

    path = edited(gltf(tmp_path / "a.gltf", {"baseColorFactor": [0, 0, 0, 1]}), change)
    surface = read(path)
    assert (surface.colors == 0).all() and ["light" in note for note in surface.notes] == [True]
    assert read(path, require_materials=True).notes == surface.notes  # nothing is missing


def test_a_far_place_of_a_node_keeps_the_shape(tmp_path):
    """Its translation is in double precision, the vertices in single."""
    path = gltf(tmp_path / "a.gltf", nodes=[{"mesh": 0, "translation": [2.0**22, 0, 0]}])
    assert np.array_equal(read(path, up="z", front="x").vertices, CORNERS + np.array([2.0**22, 0, 0]))


@pytest.mark.parametrize(
    ("generator", "setting", "stored", "kind"),
    [
        ("jsdpipe", "auto", np.uint16(32768), "linear"),
        ("another", "auto", np.float32(0.5), "linear"),
        (None, "auto", np.uint16(32768), "linear"),
        ("https://github.com/mikedh/trimesh", "auto", np.uint16(32768), "srgb"),
        ("https://github.com/mikedh/trimesh", "linear", np.float32(0.5), "linear"),
        ("another", "srgb", np.float32(0.5), "srgb"),
    ],
)
def test_vertex_colors_are_linear_unless_their_maker_or_the_user_says_otherwise(
    tmp_path, generator, setting, stored, kind
):
    """By IEC 61966-2-1, linear 0.5 is stored as 0.735357."""
    asset = {"version": "2.0"} | ({"generator": generator} if generator else {})
    path = gltf(tmp_path / "a.gltf", colors=np.full((4, 3), stored), asset=asset)
    surface = read(path, vertex_colors=setting)
    assert (surface.colors == {"linear": 188, "srgb": 128}[kind]).all()
    (note,) = surface.notes
    assert {"linear": "linear", "srgb": "sRGB"}[kind] in note


def test_the_files_of_trimesh_have_the_colors_that_trimesh_was_given(tmp_path):
    box = trimesh.creation.box()
    box.visual.vertex_colors = (200, 100, 50, 255)
    box.export(tmp_path / "a.glb")
    assert (read(tmp_path / "a.glb").colors == (200, 100, 50)).all()


def test_factors_and_vertex_colors_are_multiplied_as_light(tmp_path):
    """0.5 x 0.4 = 0.2, which is stored as 124; as stored values 188 x 170 / 255 would be 125, 89 x 124 / 255 43."""
    colors = np.full((4, 3), (0.5, 0.1, 1.0), np.float32)
    surface = read(gltf(tmp_path / "a.gltf", {"baseColorFactor": [0.4, 0.2, 0.05, 1]}, colors))
    assert (surface.colors == (124, 39, 63)).all()  # of 0.2, 0.02, 0.05
