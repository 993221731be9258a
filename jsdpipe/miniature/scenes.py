"""Scenes of the miniature world: things and surroundings arranged as descriptions say; and random descriptions."""

import torch
from torch import Tensor

from jsdpipe.miniature.grammar import COLORS, KINDS, PATTERNS, SUPPORTS, SURROUNDINGS, Description, Thing
from jsdpipe.miniature.solids import Scene, Solid
from jsdpipe.miniature.things import CREAM, DARK, GREY, WOOD, Builder, build, move

PLANKS, CHECKS = 3, 4
PATTERNED = {"single": 0.4, "surr": 0.4, "multi": 0.2}  # share of things with a pattern, by form
SIDE_BY_SIDE = 0.6  # share of pairs that stand side by side ("and"), not on top of each other ("on")


def ground(surrounding: str, n: int, generator: torch.Generator) -> tuple[Solid, Tensor]:
    """Build n surroundings; returns their parts, and the heights (n,) on which things stand."""
    b = Builder(n, generator, torch.zeros(n, 3), torch.zeros(n, dtype=torch.long), torch.zeros(n, 3))
    r = b.u(0.8, 0.92)
    if surrounding == "a wooden floor":
        wood = b.pick(WOOD)
        b.add("box", (0, 0, 0), (r, r, 0.06), wood, pattern=PLANKS, second=wood * 0.72, frequency=b.u(2.2, 3.5))
        return b.parts, torch.full((n,), 0.06)
    if surrounding == "a tiled floor":
        tiles = b.pick(CREAM)
        b.add("box", (0, 0, 0), (r, r, 0.05), tiles, pattern=CHECKS, second=b.pick(DARK), frequency=b.u(1.5, 2.5))
        return b.parts, torch.full((n,), 0.05)
    if surrounding == "a grey rock":
        grey, top = b.pick(GREY), b.u(0.24, 0.34)
        b.add("ellipsoid", (0, 0, 0), (r, r * b.u(0.8, 1), top), grey, pattern=2, second=grey * 0.75, frequency=5.0)
        side = b.u(0, 6.28)
        b.add("ellipsoid", (0.45 * side.cos(), 0.45 * side.sin(), -0.05), (0.4, 0.4, top), grey * 0.85)
        return b.parts, top - 0.05
    if surrounding == "green grass":
        green = b.pick(((0.25, 0.60, 0.15), (0.32, 0.66, 0.20)))
        b.add("cylinder", (0, 0, 0), (r, 0.05), green, pattern=2, second=green * 0.7, frequency=6.0)
        for x, y, _ in b.around(7, b.u(0, 1), r * 0.86):
            b.add("cone", (x, y, 0.1), (0.07, 0.01, b.u(0.07, 0.15)), green * 0.8)
        return b.parts, torch.full((n,), 0.05)
    sand = b.pick(((0.90, 0.78, 0.50), (0.86, 0.72, 0.46)))
    b.add("ellipsoid", (0, 0, 0), (r, r, 0.16), sand, pattern=PLANKS, second=sand * 0.92, frequency=b.u(3, 5))
    b.add("ellipsoid", (-0.4, 0.3, 0.03), (0.4, 0.45, 0.15), sand)
    return b.parts, torch.full((n,), 0.13)


def compose(descriptions: list[Description], generator: torch.Generator) -> Scene:
    """Build scenes for descriptions that share kinds, relation and surrounding."""
    first = descriptions[0]
    n = len(descriptions)
    built = [
        build(
            first.things[i].kind,
            [d.things[i].color for d in descriptions],
            [d.things[i].pattern for d in descriptions],
            generator,
        )
        for i in range(len(first.things))
    ]
    (parts, low, high) = built[0]
    if first.surrounding:
        base, height = ground(first.surrounding, n, generator)
        down = -(0.72 * (high - low) + height) / 2
        return [move(parts, 0.72, z=height - 0.72 * low + down), move(base, 1.0, z=down)]
    if first.relation == "on":
        support, support_low, support_high = built[1]
        scale = torch.minimum(1.6 / (high - low + support_high - support_low), torch.tensor(0.66))
        smaller = 0.92 * scale
        step = scale * (support_high - support_low)
        floor = -(step + smaller * (high - low)) / 2
        return [
            move(parts, smaller, z=floor + step - smaller * low),
            move(support, scale, z=floor - scale * support_low),
        ]
    if first.relation == "and":
        other, other_low, other_high = built[1]
        half = 0.56
        floor = -half * torch.maximum(high - low, other_high - other_low) / 2
        return [
            move(parts, half, y=-0.46, z=floor - half * low),
            move(other, half, y=0.46, z=floor - half * other_low),
        ]
    return [parts]


def random_description(generator: torch.Generator, form: str) -> Description:
    """Draw a fully specified description of form "single", "surr" or "multi"."""

    def choose(options: tuple[str, ...]) -> str:
        return options[int(torch.randint(len(options), (), generator=generator))]

    def thing(kinds: tuple[str, ...] = KINDS) -> Thing:
        marked = float(torch.rand((), generator=generator)) < PATTERNED[form]
        return Thing(choose(kinds), choose(COLORS), choose(PATTERNS) if marked else None)

    if form == "surr":
        return Description((thing(),), surrounding=choose(SURROUNDINGS))
    if form == "multi":
        if float(torch.rand((), generator=generator)) < SIDE_BY_SIDE:
            return Description((thing(), thing()), relation="and")
        return Description((thing(), thing(SUPPORTS)), relation="on")
    return Description((thing(),))


def background(n: int, generator: torch.Generator) -> Tensor:
    """Draw pale background colors (n, 3) of any hue."""
    return 0.55 + 0.45 * torch.rand(n, 3, generator=generator)
