"""The study's figures: particles over the targets' densities, and numbers over steps and objectives."""

from collections.abc import Iterator

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator, PercentFormatter
from torch import Tensor

from jsdpipe.report.style import PALETTE
from jsdpipe.study.divergences import GRID, WEIGHTS, grid
from jsdpipe.study.divergences import LABELS as DIVERGENCES
from jsdpipe.study.experiments import DISTILLED, GUIDANCE, SETTINGS, Descents, Distillations
from jsdpipe.study.generators import START
from jsdpipe.study.mixtures import equal
from jsdpipe.study.presentation import GUIDANCE_LABELS, ROWS, SETTING_LABELS
from jsdpipe.study.targets import REACH, TARGETS, Target, coverage

DPI = 150
COLORS = dict(zip(("jsd", "reverse_kl", "forward_kl"), PALETTE, strict=False))
WIDTHS = {"forward_kl": 3.2, "reverse_kl": 2.0, "jsd": 1.2}  # different, so that overlapping lines stay visible
POINTS = PALETTE[4]
LABEL_BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
VIEW = 4.6  # largest |x| and |y| in panels
MEASURES = {
    "covered": "modes covered",
    "reverse_kl": "reverse KL",
    "forward_kl": "forward KL",
    "jsd": "Jensen-Shannon",
    "largest_gradient": "largest gradient",
}


def draw(followed: Descents, distilled: Distillations) -> Iterator[tuple[str, Figure]]:
    """Yield all figures with their names."""
    yield "weights", _weights()
    yield "descent", _clouds_of_descents(followed)
    for target in TARGETS.values():
        yield f"curves-{target.name}", _curves(followed, target)
    yield "objectives", _at_a_glance(distilled)
    for name in DISTILLED:
        for guidance in GUIDANCE:
            yield f"objectives-{name}-{guidance}", _clouds_of_objectives(distilled, TARGETS[name], guidance)


def _weights() -> Figure:
    """The densities of eight modes and of the start, and the divergences' weights, along the x-axis."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(2, 3))
    x = torch.linspace(-1.0, VIEW, 400, dtype=torch.float64)
    line = torch.stack([x, torch.zeros_like(x)], 1)
    start = equal(torch.zeros(1, 2, dtype=torch.float64), torch.tensor([START**2], dtype=torch.float64))
    for column, (title, level) in enumerate((("no noise", 1.0), ("cumulative alpha 0.1", 0.1))):
        a = torch.tensor(level, dtype=torch.float64)
        log_p, log_q = (density.log_density(line, a) for density in (TARGETS["circle"].mixture, start))
        above, below = panels[:, column]
        above.set_title(title)
        above.fill_between(line[:, 0].numpy(), log_p.exp().numpy(), color="#bbbbbb", lw=0, label="target p")
        above.plot(line[:, 0].numpy(), log_q.exp().numpy(), color="#222222", label="start q")
        above.set_ylim(0, 0.7)
        for name, weight in WEIGHTS.items():
            below.plot(
                line[:, 0].numpy(), weight(log_p - log_q).numpy(), color=COLORS[name], lw=2, label=DIVERGENCES[name]
            )
        _logarithmic(below)
        below.set_ylim(1e-8, 1e8)
        below.set_xlabel("x, from the middle through a mode")
    panels[0, 0].set_ylabel("density")
    panels[1, 0].set_ylabel("weight of s_q \N{MINUS SIGN} s_p")
    panels[0, 1].legend()
    panels[1, 1].legend(loc="upper left")
    return figure


def _clouds_of_descents(followed: Descents) -> Figure:
    """A row per setting; a panel per target and divergence."""
    columns = [(target, name) for target in TARGETS.values() for name in DIVERGENCES]
    figure = Figure(figsize=(13, 5.3))
    panels = figure.subplots(len(SETTINGS), len(columns))
    figure.subplots_adjust(left=0.04, right=0.995, top=0.86, bottom=0.01, wspace=0.06, hspace=0.16)
    for row, (kind, schedule) in enumerate(SETTINGS):
        for column, (target, name) in enumerate(columns):
            axes = panels[row, column]
            points = followed.runs[kind, schedule, target.name, name].end
            _cloud(axes, target, points, size=2)
            found = coverage(points, target)
            axes.set_title(f"{found.covered} of {found.modes}", fontsize=8, fontweight="normal", pad=2)
            if row == 0:
                axes.text(0.5, 1.2, DIVERGENCES[name], transform=axes.transAxes, ha="center", color=COLORS[name])
        panels[row, 0].set_ylabel(SETTING_LABELS[kind, schedule].replace(", ", "\n"), fontsize=9)
    for place, target in enumerate(TARGETS.values()):
        figure.text(0.2 + 0.32 * place, 0.96, target.label, ha="center", fontsize=11, fontweight="bold")
    return figure


def _curves(followed: Descents, target: Target) -> Figure:
    """A row per setting, a column per measure, a line per divergence followed."""
    figure = Figure(figsize=(13, 6.2))
    panels = figure.subplots(len(SETTINGS), len(MEASURES), sharex=True, sharey="col")
    figure.subplots_adjust(left=0.06, right=0.99, top=0.87, bottom=0.08, wspace=0.25, hspace=0.12)
    for row, (kind, schedule) in enumerate(SETTINGS):
        panels[row, 0].set_ylabel(SETTING_LABELS[kind, schedule].replace(", ", "\n"))
        for axes, (measure, title) in zip(panels[row], MEASURES.items(), strict=True):
            for name in DIVERGENCES:
                history = followed.runs[kind, schedule, target.name, name].history
                shown = [record for record in history if measure in record]
                x, y = ([record[key] for record in shown] for key in ("step", measure))
                axes.plot(x, y, ".-", color=COLORS[name], lw=WIDTHS[name])
            if row == 0:
                axes.set_title(title)
            if measure == "covered":
                axes.set_ylim(-0.4, target.modes + 0.4)
                axes.yaxis.set_major_locator(MaxNLocator(integer=True))
            else:
                _logarithmic(axes)
    for axes in panels[-1]:
        axes.set_xlabel("step")
    handles = [
        Line2D([], [], color=COLORS[name], marker=".", label=f"follows {of}") for name, of in DIVERGENCES.items()
    ]
    figure.legend(handles=handles, loc="upper left", ncols=len(handles))
    return figure


def _clouds_of_objectives(distilled: Distillations, target: Target, guidance: str) -> Figure:
    """A panel per objective and reference."""
    columns = -(-len(ROWS) // 2)
    figure = Figure(figsize=(1.92 * columns, 5.1))
    panels = figure.subplots(2, columns)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.9, bottom=0.01, wspace=0.06, hspace=0.26)
    for axes, (name, label) in zip(panels.flat, ROWS.items(), strict=False):
        points = distilled.particles[target.name, guidance, name]
        _cloud(axes, target, points, size=7)
        found = coverage(points, target)
        axes.set_title(label, fontsize=10, pad=16)
        said = f"{found.covered} of {found.modes} modes, {found.on_modes:.0%} on them"
        axes.text(0, 1.03, said, transform=axes.transAxes, fontsize=8.5, color="#444444")
        if outside := int((points.abs().amax(1) > VIEW).sum()):
            axes.text(
                0.98, 0.02, f"{outside} outside", transform=axes.transAxes, fontsize=8.5, ha="right", bbox=LABEL_BOX
            )
    for axes in panels.flat[len(ROWS) :]:
        axes.set_axis_off()
    return figure


def _cloud(axes: Axes, target: Target, points: Tensor, size: float) -> None:
    """Draw points over the target's density."""
    density = target.mixture.log_density(grid()[0]).exp().view(GRID, GRID).T
    axes.imshow(
        density.sqrt().numpy(), cmap="Greys", vmin=0, vmax=1.6 * float(density.max()) ** 0.5, origin="lower",
        extent=(-REACH, REACH, -REACH, REACH), interpolation="bilinear",
    )  # fmt: skip
    axes.scatter(points[:, 0].numpy(), points[:, 1].numpy(), s=size, color=POINTS, alpha=0.75, linewidths=0)
    axes.set(xlim=(-VIEW, VIEW), ylim=(-VIEW, VIEW), xticks=[], yticks=[])
    axes.grid(False)


def _logarithmic(axes: Axes) -> None:
    """Make the y-axis logarithmic, with plain numbers, because the style does not typeset powers of ten."""
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _at_a_glance(distilled: Distillations) -> Figure:
    """A row per objective, a panel per measure; colors tell targets, open marks published scales."""
    table = distilled.table.assign(share=distilled.table["covered"] / distilled.table["modes"])
    measures = {"share": "modes covered ↑", "on_modes": "particles on modes ↑", "jsd": "divergence ↓ (nats)"}
    names = list(ROWS)
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    panels = figure.subplots(1, len(measures), sharey=True)
    keys = [(target, guidance) for target in DISTILLED for guidance in GUIDANCE]
    for axes, (measure, title) in zip(panels, measures.items(), strict=True):
        axes.set_title(title)
        for place, (target, guidance) in enumerate(keys):
            rows = table[(table["target"] == target) & (table["guidance"] == guidance)].set_index("objective")
            color = PALETTE[DISTILLED.index(target) * 2]
            axes.plot(
                rows[measure].reindex(names), np.arange(len(names)) + (place - 1.5) * 0.17, "o", color=color,
                markerfacecolor=color if guidance == "exact" else "white", markersize=5.5,
            )  # fmt: skip
        axes.set_xlim(left=-0.03)
        if measure != "jsd":
            axes.set_xlim(-0.03, 1.03)
            axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")
        for edge in np.arange(len(names) - 1) + 0.5:
            axes.axhline(edge, color="#e4e4e4", lw=0.8, zorder=0)
    panels[0].set_yticks(np.arange(len(names)), list(ROWS.values()))
    panels[0].invert_yaxis()
    handles = [
        Line2D([], [], ls="", marker="o", color=PALETTE[DISTILLED.index(target) * 2],
               markerfacecolor=PALETTE[DISTILLED.index(target) * 2] if guidance == "exact" else "white",
               label=f"{TARGETS[target].label}, {GUIDANCE_LABELS[guidance]}")
        for target, guidance in keys
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles))
    return figure
