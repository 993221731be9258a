"""Zips of views: what is written is read back, byte for byte the same each time."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from jsdpipe.base.errors import UserError
from jsdpipe.render.view_archive import ViewArchive, read_comment, read_views, write_views

PICTURES = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3)).astype(np.uint8)


def test_round_trip_in_order(tmp_path):
    write_views(tmp_path / "views.zip", {"quality": iter(PICTURES), "diversity": PICTURES[:2]}, comment="abc")
    np.testing.assert_array_equal(read_views(tmp_path / "views.zip", "quality"), PICTURES)
    np.testing.assert_array_equal(read_views(tmp_path / "views.zip", "diversity"), PICTURES[:2])
    assert read_comment(tmp_path / "views.zip") == "abc"
    with zipfile.ZipFile(tmp_path / "views.zip") as archive:
        assert archive.namelist()[:2] == ["quality/0000.png", "quality/0001.png"]
        assert archive.testzip() is None


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (7, 300), (300, 7), (512, 512)])
def test_pictures_are_png_files_of_any_size_and_content(tmp_path, shape):
    y, x = np.indices(shape)
    smooth = np.stack((x, y, x * y), axis=-1).astype(np.uint8)
    noise = np.random.default_rng(1).integers(0, 256, smooth.shape).astype(np.uint8)
    flat = np.full_like(smooth, 77)
    for picture in (flat, smooth, noise):
        write_views(tmp_path / "views.zip", {"quality": [picture]})
        png = zipfile.ZipFile(tmp_path / "views.zip").read("quality/0000.png")
        with Image.open(io.BytesIO(png)) as image:
            image.verify()  # its checksums
        with Image.open(io.BytesIO(png)) as image:
            assert (image.format, image.mode) == ("PNG", "RGB")
            np.testing.assert_array_equal(np.asarray(image), picture)
        assert len(png) < 1000 + picture.nbytes * (1 / 40 if picture is flat else 1.01)


def test_slices_are_read_alone(tmp_path):
    write_views(tmp_path / "views.zip", {"quality": PICTURES, "alignment": PICTURES[:1]})
    views = ViewArchive(tmp_path / "views.zip", "quality")
    assert len(views) == 12
    for part in (slice(3, 7), slice(1, None, 5), slice(-2, None)):
        np.testing.assert_array_equal(views[part], PICTURES[part])
    (tmp_path / "views.zip").unlink()
    with pytest.raises(UserError, match=r"views\.zip: "):
        views[:1]


def test_same_pictures_same_bytes_at_any_time(tmp_path):
    for name in ("a.zip", "b.zip"):
        write_views(tmp_path / name, {"quality": PICTURES})
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_missing_broken_and_lacking_zips_are_named(tmp_path):
    with pytest.raises(UserError, match="absent"):
        read_views(tmp_path / "absent.zip", "quality")
    assert read_comment(tmp_path / "absent.zip") is None
    (tmp_path / "broken.zip").write_bytes(b"PK nothing")
    with pytest.raises(UserError, match="broken"):
        read_views(tmp_path / "broken.zip", "quality")
    assert read_comment(tmp_path / "broken.zip") is None
    write_views(tmp_path / "views.zip", {"quality": PICTURES})
    with pytest.raises(UserError, match="diversity"):
        read_views(tmp_path / "views.zip", "diversity")


def test_failed_writing_leaves_nothing(tmp_path):
    def failing():
        yield PICTURES[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_views(tmp_path / "views.zip", {"quality": failing()})
    assert list(tmp_path.iterdir()) == []
