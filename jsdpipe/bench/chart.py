"""The bench's figure, and its files."""

from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from jsdpipe.base.files import write_json
from jsdpipe.base.stopwatch import PARTS, REST
from jsdpipe.bench import NUMBERS
from jsdpipe.bench.generation import Costs
from jsdpipe.report import style

FIGURE = "generate.png"


def write(costs: Costs, folder: Path) -> tuple[Path, Path]:
    """Write a bench of generation to a folder, as JSON and as a figure; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers, figure = folder / NUMBERS, folder / FIGURE
    write_json(numbers, costs.as_json())
    with rc_context({**style.MATPLOTLIB, "axes.grid.axis": "x"}):
        draw(costs).savefig(figure, metadata={"Software": None})
    return numbers, figure


def draw(costs: Costs) -> Figure:
    """A bar for each method and way: the time of an asset's step, by its parts."""
    bars = [(method, speed) for method, both in costs.speeds.items() for speed in both]
    figure = Figure(figsize=(9, 1.3 + 0.42 * len(bars)), layout="constrained")
    axes = figure.subplots()
    places = [i + 0.35 * (i // 2) for i in range(len(bars))]  # pairs stand apart
    left = [0.0] * len(bars)
    for part, color in zip((*PARTS, REST), style.PALETTE, strict=False):
        widths = [1000 / speed.steps * speed.parts[part] for _, speed in bars]
        axes.barh(places, widths, left=left, height=0.8, color=color, label=part)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    for (_, speed), place, end in zip(bars, places, left, strict=True):
        ratio = speed.steps / costs.speeds[_][0].steps
        axes.text(end, place, f"  {ratio:.2f} x" if speed.way.name != "plain" else "", va="center")
    axes.set_yticks(places, [f"{method}, {speed.way.name}" for method, speed in bars])
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds that an asset's step takes of the whole machine")
    axes.set_title(f"{costs.device}, {costs.threads} threads")
    axes.set_xlim(0, 1.12 * max(left))
    figure.legend(loc="outside lower center", ncols=len(PARTS) + 1)
    return figure
