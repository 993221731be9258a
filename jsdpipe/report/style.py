"""The style of figures: one color per method, safe for color-blind readers, and matplotlib's settings."""

from typing import Any, Literal

from jsdpipe.pipeline.run import Run

# Okabe and Ito's palette without its yellow and black, then four of Paul Tol's "muted", and a gray.
PALETTE = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#D55E00",
    "#56B4E9",
    "#332288",
    "#999933",
    "#882255",
    "#DDCC77",
    "#777777",
)
CONTROLS = ("#4d4d4d", "#7d7d7d", "#a8a8a8")
LINES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")

MATPLOTLIB: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": "#333333",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.color": "#333333",
    "ytick.color": "#666666",
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.dpi": 200,
    "text.parse_math": False,  # a method's label may hold dollars
    "svg.hashsalt": "jsdpipe",
    "svg.fonttype": "path",
}


def color(run: Run, method: str) -> str:
    """The color of a method, by its place among the contestants, or a gray by its place among the controls."""
    ranked = run.config.methods[method].ranked
    colors, names = (PALETTE, run.config.contestants) if ranked else (CONTROLS, run.config.controls)
    return colors[names.index(method) % len(colors)]


def line(run: Run, control: str) -> Literal["-", "--", ":", "-."]:
    """The style of a control's line, by its place among the controls."""
    return LINES[run.config.controls.index(control) % len(LINES)]
