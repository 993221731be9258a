"""Contact sheets: prompts down, methods and their seeds across, one picture an asset."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from PIL import Image, ImageDraw

from jsdpipe.prompts import Prompt
from jsdpipe.report import style
from jsdpipe.report.images import GREY, failed_tile, font, front, tile, wrap
from jsdpipe.report.presentation import label
from jsdpipe.run import Run

TILE = 192  # three times the miniature's 64 pixels
PAGE = 20  # prompts a sheet
GAP, GROUP_GAP, MARGIN, LABEL, HEAD = 6, 22, 28, 260, 76


def write_sheets(run: Run, assets: pd.DataFrame, folder: Path) -> None:
    """Write `contact-<set>-<page>.png` (pages from 1) for every set; `assets` from `collect`."""
    reasons = assets.set_index(["method", "set", "prompt_id", "seed"]).reason
    for part, prompts in run.prompts.items():
        for page, start in enumerate(range(0, len(prompts), PAGE), start=1):
            sheet = _sheet(run, part, prompts[start : start + PAGE], reasons)
            sheet.save(folder / f"contact-{part}-{page}.png")


def _sheet(run: Run, part: str, prompts: Sequence[Prompt], reasons: pd.Series) -> Image.Image:
    seeds, methods = run.config.seeds, list(run.config.methods)
    group = len(seeds) * (TILE + GAP) - GAP
    size = (
        2 * MARGIN + LABEL + len(methods) * (group + GROUP_GAP),
        2 * MARGIN + HEAD + len(prompts) * (TILE + GAP) - GAP,
    )
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for column, method in enumerate(methods):
        left = MARGIN + LABEL + GROUP_GAP + column * (group + GROUP_GAP)
        draw.rectangle((left, MARGIN, left + group - 1, MARGIN + 5), fill=style.colour(run, method))
        name = wrap(label(run, method), font(22, bold=True), group, lines=1)
        draw.text((left, MARGIN + 12), name, font=font(22, bold=True), fill="black")
        for place, seed in enumerate(seeds):
            x = left + place * (TILE + GAP)
            draw.text((x, MARGIN + 46), f"seed {seed}", font=font(15), fill=GREY)
            for row, prompt in enumerate(prompts):
                picture = _picture(run, method, part, prompt, seed, reasons)
                offset = (TILE - picture.width) // 2
                sheet.paste(picture, (x + offset, MARGIN + HEAD + row * (TILE + GAP) + offset))
    for row, prompt in enumerate(prompts):
        y = MARGIN + HEAD + row * (TILE + GAP) + TILE / 2
        text = wrap(prompt.text, font(20), LABEL, lines=7)
        draw.multiline_text((MARGIN, y), text, font=font(20), fill="black", anchor="lm", spacing=6)
    return sheet


def _picture(run: Run, method: str, part: str, prompt: Prompt, seed: int, reasons: pd.Series) -> Image.Image:
    reason = reasons[method, part, prompt.id, seed]
    if pd.notna(reason):
        return failed_tile(reason, TILE)
    return tile(front(run.layout.asset(method, part, prompt.id, seed)), TILE)
