"""The report's text, captions and tables on the study; every claim is computed from the numbers."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from jsdpipe.config.run_config import Study
from jsdpipe.report.markup import Cell, Table
from jsdpipe.study.divergences import LABELS as DIVERGENCES
from jsdpipe.study.experiments import (
    DISTILLED,
    GUIDANCE,
    OBJECTIVE_LABELS,
    REFERENCES,
    SETTINGS,
    Descents,
    Distillations,
)
from jsdpipe.study.generators import BANDWIDTH, COMPONENTS, LEARNING_RATE, START
from jsdpipe.study.targets import NEAR, TARGETS

MINUS = "\N{MINUS SIGN}"
SETTING_LABELS = {
    ("particles", "annealed"): "particles, falling noise",
    ("particles", "clean"): "particles, no noise",
    ("parametric", "annealed"): f"{COMPONENTS} Gaussians, falling noise",
}
GUIDANCE_LABELS = {"exact": "exact", "published": "published scales"}
ROWS = {"start": "start", "sample": "target's own sample", **OBJECTIVE_LABELS}  # of part B


@dataclass(frozen=True)
class Figure:
    """An image file in the study's folder, with its title and caption."""

    file: str
    title: str
    caption: str


@dataclass(frozen=True)
class Section:
    """A part of the study: paragraphs, figures and a table."""

    name: str
    heading: str
    text: tuple[str, ...]
    figures: tuple[Figure, ...]
    table: Table


def sections(followed: Descents, distilled: Distillations, settings: Study) -> tuple[Section, ...]:
    """Write both parts."""
    return _part_a(followed.table, settings), _part_b(distilled.table, settings)


def _part_a(table: pd.DataFrame, settings: Study) -> Section:
    text = (
        "Where a generator's density q and the target's p are known, so are the gradients of the divergences between "
        f"them. All three pull a sample along the difference of the scores, s_q {MINUS} s_p, with the weight 1 for the "
        "reverse KL, p/q for the forward KL, and D/2 for Jensen-Shannon; D = p/(p+q) is the optimal discriminator. So "
        "at one and the same point Jensen-Shannon's pull is never more than half of the reverse KL's, and hardly any "
        "where q is far above p; the forward KL's weight has no bound.",
        f"{settings.particles} particles (their density: Gaussian kernels of deviation {BANDWIDTH:g}) or {COMPONENTS} "
        f"Gaussians with trainable means and deviations start around the middle (deviation {START:g}). They take "
        f"{settings.steps} steps of Adam at rate {LEARNING_RATE:g}, each on about {settings.particles} samples of q. "
        "The divergence is that of the densities themselves, or of both noised, less and less, and not at all in the "
        f"last third. A mode is covered if at least half of its share of the points lies within {NEAR:g} deviations of "
        "it: of a q that is spread over all modes, with most of its mass between them, none may be.",
    )
    figures = (
        Figure(
            "weights.png",
            "The weights on a line",
            "From the middle through one of the eight modes: the densities of target and start, and the weight of "
            f"s_q {MINUS} s_p in each gradient, without noise and at cumulative alpha 0.1.",
        ),
        Figure(
            "descent.png",
            "Where the samples end",
            f"Points of q at the end over the target's density, with the modes that are covered. {_most_modes(table)}",
        ),
        *(
            Figure(
                f"curves-{target.name}.png",
                f"Over the steps: {target.label}",
                "Modes covered, the three divergences without noise (nats), and the largest gradient on a sample since "
                f"the mark before. {_largest(table[table['target'] == target.name])}",
            )
            for target in TARGETS.values()
        ),
    )
    return Section("divergences", "Three divergences, followed exactly", text, figures, _table_a(table))


def _part_b(table: pd.DataFrame, settings: Study) -> Section:
    text = (
        "The benchmark's objectives as they are in the registry, with a denoiser that predicts the noise of the target "
        "exactly in place of the network; a latent is a point of the plane. The empty prompt stands for nine broad "
        "Gaussians that cover the plane, the negative prompt for its middle. VSD, SIM and the adversarial ASD train "
        "one small network for all particles.",
        f"All start from the same {settings.particles} points around the middle (deviation {START:g}) and take "
        f"{settings.steps} steps of Adam at rate {LEARNING_RATE:g}, with the same draws. Guidance “exact” is scale 1, "
        f"at which the guided prediction is the target's own (SDI and JSD then invert at {MINUS}1; CSD is guidance "
        "alone, and has no scale; NFSD pushes away from the negative prompt all the same); “published” are the scales "
        "of the papers and their code. What the start scores, and as many independent points of the target, is shown "
        "beside them. Each is one run of one seed: small differences are chance.",
        "JSD here is the objective that the paper's public code computes, not the exact gradient of the part above.",
    )
    figures = (
        Figure(
            "objectives.png",
            "The objectives at a glance",
            f"Filled: exact guidance; open: published scales. {_ahead(table)}",
        ),
        *(
            Figure(
                f"objectives-{target}-{guidance}.png",
                f"{TARGETS[target].label.capitalize()}, {GUIDANCE_LABELS[guidance]}",
                "Particles at the end over the target's density; in a corner, how many are out of the picture. "
                f"{_standing(table, target, guidance)}",
            )
            for target in DISTILLED
            for guidance in GUIDANCE
        ),
    )
    return Section("objectives", "The objectives, with an exact denoiser", text, figures, _table_b(table))


def _ends(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["step"] == table["step"].max()]


def _most_modes(table: pd.DataFrame) -> str:
    """How many modes each divergence covers at the end, over all targets, by setting."""
    ends = _ends(table)
    said = []
    for kind, schedule in SETTINGS:
        rows = ends[(ends["generator"] == kind) & (ends["noise"] == schedule)]
        counts = rows.groupby("followed")["covered"].sum()
        of = rows.groupby("followed")["modes"].sum().iloc[0]
        each = _list(f"{label} {counts[name]}" for name, label in DIVERGENCES.items())
        said.append(f"{SETTING_LABELS[kind, schedule]}: {each}")
    return f"Modes covered of {of}, over all targets: {'; '.join(said)}."


def _largest(table: pd.DataFrame) -> str:
    """The largest gradient of each divergence."""
    largest = table.groupby("followed")["largest_gradient"].max()
    return f"The largest of a run: {_list(f'{label} {_short(largest[name])}' for name, label in DIVERGENCES.items())}."


def _ahead(table: pd.DataFrame) -> str:
    """Which objective is nearest to each target, and JSD's rank."""
    said = []
    for target in DISTILLED:
        for guidance in GUIDANCE:
            rows = _ranked(table, target, guidance)
            place = list(rows["objective"]).index("jsd") + 1
            first = OBJECTIVE_LABELS[rows["objective"].iloc[0]]
            where = f"{TARGETS[target].label}, {GUIDANCE_LABELS[guidance]}"
            said.append(f"{where}: {first}" + ("" if place == 1 else f" (JSD is number {place} of {len(rows)})"))
    return f"Nearest to the target by Jensen-Shannon divergence: {'; '.join(said)}."


def _standing(table: pd.DataFrame, target: str, guidance: str) -> str:
    """JSD's modes, and the objectives that cover most."""
    rows = _ranked(table, target, guidance)
    jsd, most = rows[rows["objective"] == "jsd"].iloc[0], rows["covered"].max()
    best = _list(OBJECTIVE_LABELS[name] for name in rows[rows["covered"] == most]["objective"])
    return (
        f"JSD covers {jsd['covered']} of {jsd['modes']} modes with {jsd['on_modes']:.0%} of its particles on any; the "
        f"most covered are {most}, by {best}."
    )


def _ranked(table: pd.DataFrame, target: str, guidance: str) -> pd.DataFrame:
    rows = table[(table["target"] == target) & (table["guidance"] == guidance) & ~table["objective"].isin(REFERENCES)]
    return rows.sort_values("jsd", kind="stable")


def _table_a(table: pd.DataFrame) -> Table:
    largest = table.groupby(["generator", "noise", "target", "followed"])["largest_gradient"].max()
    at_end = _ends(table).set_index(["generator", "noise", "target", "followed"]).sort_index()
    rows = []
    for (kind, schedule), label in SETTING_LABELS.items():
        for target in TARGETS.values():
            keys = (kind, schedule, target.name)
            ends = at_end.loc[keys]
            best = {name: f"{ends[name].min():.3f}" for name in DIVERGENCES}
            for name, followed in DIVERGENCES.items():
                end = ends.loc[name]
                measured = (f"{end[of]:.3f}" for of in DIVERGENCES)
                rows.append(
                    (
                        Cell(f"{label}: {target.label}"),
                        Cell(followed),
                        Cell(
                            f"{end['covered']:.0f} of {end['modes']:.0f}",
                            best=bool(end["covered"] == ends["covered"].max()),
                        ),
                        Cell(f"{end['on_modes']:.0%}"),
                        *(Cell(text, best=text == best[of]) for of, text in zip(DIVERGENCES, measured, strict=True)),
                        Cell(_short(largest[(*keys, name)])),
                    )
                )
    header = ("Setting", "Followed", "Modes ↑", "On modes", "Reverse ↓", "Forward ↓", "J-S ↓", "Gradient")
    caption = (
        "At the end of a run: modes covered, share of the points on any mode, and the three divergences of q from the "
        "target without noise, in nats (bold: the best of a group); last, the largest gradient on a sample in the run."
    )
    return Table("divergences", caption, header, 2, tuple(rows))


def _table_b(table: pd.DataFrame) -> Table:
    rows = []
    for target in DISTILLED:
        for guidance in GUIDANCE:
            found = table[(table["target"] == target) & (table["guidance"] == guidance)].set_index("objective")
            ranked = found.drop(index=list(REFERENCES))
            nearest, most = f"{ranked['jsd'].min():.3f}", ranked["covered"].max()
            for name, row in found.iterrows():
                made = name not in REFERENCES
                rows.append(
                    (
                        Cell(f"{TARGETS[target].label}, {GUIDANCE_LABELS[guidance]}"),
                        Cell(ROWS[str(name)]),
                        Cell(f"{row['covered']} of {row['modes']}", best=bool(made and row["covered"] == most)),
                        Cell(f"{row['on_modes']:.0%}"),
                        Cell(text := f"{row['jsd']:.3f}", best=made and text == nearest),
                    )
                )
    caption = (
        "Particles at the end: modes covered, share of them on any mode, and the Jensen-Shannon divergence in nats (at "
        f"most log 2 = 0.693) of their kernel density (deviation {BANDWIDTH:g}) from the target, smoothed by the same "
        "kernel. Bold: the best objective of a group."
    )
    header = ("Target, guidance", "Objective", "Modes ↑", "On modes", "Divergence ↓")
    return Table("objectives", caption, header, 2, tuple(rows))


def _short(value: float) -> str:
    """Three significant digits, or all digits of the integer part."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _list(items: Iterable[str]) -> str:
    """Join items, e.g. "a", "a and b", "a, b and c"."""
    *before, last = items
    return f"{', '.join(before)} and {last}" if before else last
