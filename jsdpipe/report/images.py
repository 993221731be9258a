"""Pictures of assets for the report and contact sheets: frames of turntables, tiles, text."""

import textwrap
from functools import cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from jsdpipe.base.errors import UserError

GREY, PALE = "#6b6b6b", "#ececec"


def front(asset: Path) -> Image.Image:
    """The first frame (azimuth 0) of an asset's turntable, in RGB; raises `UserError` if it cannot be read."""
    path = asset / "turntable.webp"
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except OSError as error:  # PIL's own OSError has no strerror
        why = error.strerror or "not an image, or damaged"
        raise UserError(f"{path}: cannot be read ({why}); rerun the asset's render stage") from None


def tile(image: Image.Image, size: int) -> Image.Image:
    """An image resized to `size` x `size` pixels, by Lanczos."""
    return image.resize((size, size), Image.Resampling.LANCZOS)


def failed_tile(reason: str, size: int) -> Image.Image:
    """A gray tile with the word "failed" and the start of the reason."""
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
    """DejaVu Sans from matplotlib, so that text looks the same on every machine."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", name), points)


def wrap(text: str, font: ImageFont.FreeTypeFont, width: float, lines: int) -> str:
    """Text wrapped into at most `lines` lines of `width` pixels, with an ellipsis if it is cut."""
    characters = int(width / font.getlength("i"))
    while True:
        broken = textwrap.wrap(text, characters, max_lines=lines, placeholder=" …")
        if characters <= 4 or all(font.getlength(line) <= width for line in broken):
            return "\n".join(broken)
        characters -= 1
