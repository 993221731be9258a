"""Contact sheets with one picture per asset: a row per prompt, a column per method and seed."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from PIL import Image, ImageDraw

from jsdpipe.base.progress import progress
from jsdpipe.config.prompts import Prompt
from jsdpipe.pipeline.layout import AssetKey
from jsdpipe.pipeline.run import Run
from jsdpipe.report import style
from jsdpipe.report.images import GREY, failed_tile, font, front, tile, wrap
from jsdpipe.report.presentation import label

PAGE = 20  # prompts per sheet
GAP, GROUP_GAP, MARGIN, LABEL, HEAD = 6, 22, 28, 260, 76


def write_sheets(run: Run, assets: pd.DataFrame, folder: Path) -> None:
    """Write the sheets of every set, named by `sheet_names`; `assets` is the table from `collect`."""
    assets = assets.set_index(["method", "set", "prompt_id", "seed"])
    reasons = assets.reason.where(assets.status == "failed")
    with progress("contact sheets", sum(map(len, run.prompts.values()))) as advance:
        for part, prompts in run.prompts.items():
            for page, name in enumerate(sheet_names(part, len(prompts))):
                shown = prompts[page * PAGE : (page + 1) * PAGE]
                _sheet(run, part, shown, reasons).save(folder / name)
                advance(len(shown))


def sheet_names(part: str, prompts: int) -> list[str]:
    """The sheets' file names, in order, for a set (`part`) with this number of prompts."""
    return [f"contact-{part}-{page:02d}.png" for page in range(1, -(-prompts // PAGE) + 1)]


def _sheet(run: Run, part: str, prompts: Sequence[Prompt], reasons: pd.Series) -> Image.Image:
    seeds, methods = run.config.seeds, list(run.config.methods)
    side = 192 if len(seeds) * len(methods) <= 8 else 128  # three times and twice the miniature's 64 pixels
    group = len(seeds) * (side + GAP) - GAP
    size = (
        2 * MARGIN + LABEL + len(methods) * (group + GROUP_GAP),
        2 * MARGIN + HEAD + len(prompts) * (side + GAP) - GAP,
    )
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for column, method in enumerate(methods):
        left = MARGIN + LABEL + GROUP_GAP + column * (group + GROUP_GAP)
        draw.rectangle((left, MARGIN, left + group - 1, MARGIN + 5), fill=style.color(run, method))
        name = wrap(label(run, method), font(22, bold=True), group, lines=1)
        draw.text((left, MARGIN + 12), name, font=font(22, bold=True), fill="black")
        for place, seed in enumerate(seeds):
            x = left + place * (side + GAP)
            draw.text((x, MARGIN + 46), f"seed {seed}", font=font(15), fill=GREY)
            for row, prompt in enumerate(prompts):
                picture = _picture(run, method, part, prompt, seed, reasons, side)
                sheet.paste(picture, (x, MARGIN + HEAD + row * (side + GAP)))
    for row, prompt in enumerate(prompts):
        y = MARGIN + HEAD + row * (side + GAP) + side / 2
        text = wrap(prompt.text, font(20), LABEL, lines=7)
        draw.multiline_text((MARGIN, y), text, font=font(20), fill="black", anchor="lm", spacing=6)
    return sheet


def _picture(run: Run, method: str, part: str, prompt: Prompt, seed: int, reasons: pd.Series, side: int) -> Image.Image:
    reason = reasons[method, part, prompt.id, seed]
    if pd.notna(reason):
        return failed_tile(reason, side)
    return tile(front(run.layout.asset(AssetKey(method, part, prompt.id, seed))), side)
