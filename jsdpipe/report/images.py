"""Pictures of assets: frames of their turntables, tiles of a contact sheet, text."""

import textwrap
from functools import cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from jsdpipe.base.errors import UserError

GREY, PALE = "#6b6b6b", "#ececec"


def front(asset: Path) -> Image.Image:
    """The first frame (azimuth 0) of an asset's turntable, RGB; `UserError` if there is none."""
    path = asset / "turntable.webp"
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except OSError as error:  # PIL's too, which has no number
        why = error.strerror or "no picture, or a damaged one"
        raise UserError(f"{path}: cannot be read ({why}); rerun the asset's render stage") from None


def tile(image: Image.Image, size: int) -> Image.Image:
    """An image at `size` x `size`; Lanczos, which looks better than pixels as squares."""
    return image.resize((size, size), Image.Resampling.LANCZOS)


def failed_tile(reason: str, size: int) -> Image.Image:
    """A grey tile that says "failed" and the first words of why."""
    image = Image.new("RGB", (size, size), PALE)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, size - 1, size - 1), outline="#cfcfcf")
    margin, points = size // 12, max(size // 13, 9)
    draw.text((margin, margin), "failed", font=font(points, bold=True), fill="#a33b2f")
    text = wrap(reason, font(points), size - 2 * margin, lines=5)
    draw.multiline_text((margin, margin + 1.6 * points), text, font=font(points), fill=GREY, spacing=points // 3)
    return image


@cache
def font(points: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans as matplotlib brings it along, so that every machine draws the same letters."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", name), points)


def wrap(text: str, of: ImageFont.FreeTypeFont, width: float, lines: int) -> str:
    """Text broken into at most `lines` lines of `width` pixels, an ellipsis where it is cut."""
    characters = int(width / of.getlength("i"))
    while True:
        broken = textwrap.wrap(text, characters, max_lines=lines, placeholder=" …")
        if characters <= 4 or all(of.getlength(line) <= width for line in broken):
            return "\n".join(broken)
        characters -= 1
