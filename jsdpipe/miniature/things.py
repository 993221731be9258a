"""The kinds of thing in the miniature world, each built from primitives with random proportions.

A thing fills about the ball of radius 0.9 around the origin and faces +x. Captions name its main color; its other
colors are random shades of wood, cream, grey and so on.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from jsdpipe.miniature.grammar import COLORS, KINDS, PATTERNS
from jsdpipe.miniature.solids import Part, Solid

Value = float | Tensor

RGB = {
    "red": (0.85, 0.10, 0.10),
    "orange": (0.98, 0.50, 0.06),
    "yellow": (0.95, 0.85, 0.10),
    "green": (0.12, 0.62, 0.16),
    "blue": (0.10, 0.25, 0.85),
    "purple": (0.50, 0.14, 0.68),
    "pink": (0.98, 0.55, 0.72),
    "white": (0.94, 0.94, 0.94),
    "black": (0.08, 0.08, 0.09),
}
WOOD = ((0.45, 0.28, 0.14), (0.36, 0.21, 0.10), (0.58, 0.40, 0.22))
CREAM = ((0.92, 0.87, 0.74), (0.85, 0.80, 0.70), (0.78, 0.76, 0.72))
GREY = ((0.50, 0.50, 0.52), (0.38, 0.38, 0.40), (0.62, 0.62, 0.64))
DARK = ((0.10, 0.09, 0.09), (0.18, 0.16, 0.15))
ROOF = ((0.48, 0.17, 0.12), (0.36, 0.24, 0.17), (0.32, 0.33, 0.37))
GLASS = ((0.66, 0.82, 0.90), (0.75, 0.87, 0.92))
BEAK = ((0.96, 0.55, 0.12),)


class Builder:
    """Draws the random attributes of `n` things at once, and collects their parts."""

    def __init__(self, n: int, generator: torch.Generator, color: Tensor, pattern: Tensor, second: Tensor) -> None:
        self.n, self.generator, self.parts = n, generator, Solid()
        self.color, self.pattern, self.second = color, pattern, second
        self.frequency = self.u(3.0, 4.5)

    def u(self, low: float, high: float) -> Tensor:
        """Draw uniformly (n,)."""
        return low + (high - low) * torch.rand(self.n, generator=self.generator)

    def chance(self, p: float) -> Tensor:
        """Draw True with probability p (n,)."""
        return torch.rand(self.n, generator=self.generator) < p

    def pick(self, palette: tuple[tuple[float, float, float], ...]) -> Tensor:
        """Draw colors (n, 3) from a palette, slightly varied."""
        index = torch.randint(len(palette), (self.n,), generator=self.generator)
        return vary(torch.tensor(palette)[index], self.generator)

    def full(self, value: Value) -> Tensor:
        return value.expand(self.n) if isinstance(value, Tensor) else torch.full((self.n,), float(value))

    def add(
        self,
        shape: str,
        center: tuple[Value, Value, Value],
        size: tuple[Value, ...],
        color: Tensor | None = None,
        *,
        axis: str = "z",
        yaw: Value = 0.0,
        rounding: Value = 0.0,
        keep: Tensor | None = None,
        carve: bool = False,
        pattern: int = 0,
        second: Tensor | None = None,
        frequency: Value | None = None,
    ) -> None:
        """Add a part; without a color it gets the main one and its pattern."""
        main = color is None
        self.parts.append(
            Part(
                shape,
                torch.stack([self.full(c) for c in center], dim=-1),
                torch.stack([self.full(s) for s in size], dim=-1),
                self.color if color is None else color,
                self.full(yaw),
                self.full(rounding),
                torch.ones(self.n, dtype=torch.bool) if keep is None else keep,
                self.pattern if main else torch.full((self.n,), pattern),
                self.second if second is None else second,
                self.frequency if frequency is None else self.full(frequency),
                axis,
                carve,
            )
        )

    def around(self, count: int, yaw: Value, radius: Value) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Spread `count` places (x, y, yaw) over a circle."""
        angles = [self.full(yaw) + 2 * math.pi * i / count for i in range(count)]
        return [(radius * torch.cos(a), radius * torch.sin(a), a) for a in angles]


def vary(color: Tensor, generator: torch.Generator, amount: float = 0.04) -> Tensor:
    """Vary the brightness and tint of colors (n, 3) a little."""
    n = len(color)
    bright = 1 + amount * 2 * (torch.rand(n, 1, generator=generator) * 2 - 1)
    tint = amount * (torch.rand(n, 3, generator=generator) * 2 - 1)
    return (color * bright + tint).clamp(0.02, 0.99)


def ball(b: Builder) -> None:
    r = b.u(0.58, 0.74)
    b.add("ellipsoid", (0, 0, 0), (r, r, r * b.u(0.92, 1)))


def cube(b: Builder) -> None:
    h, r = b.u(0.42, 0.54), b.u(0.01, 0.07)
    b.add("box", (0, 0, 0), (h, h, h), yaw=b.u(0, math.pi / 2), rounding=r)


def cone(b: Builder) -> None:
    b.add("cone", (0, 0, 0), (b.u(0.48, 0.68), 0.01, b.u(0.55, 0.72)), rounding=0.02)


def cylinder(b: Builder) -> None:
    b.add("cylinder", (0, 0, 0), (b.u(0.34, 0.5), b.u(0.45, 0.66)), rounding=0.02)


def donut(b: Builder) -> None:
    b.add("torus", (0, 0, 0), (b.u(0.5, 0.58), b.u(0.18, 0.26)))


def pyramid(b: Builder) -> None:
    b.add("pyramid", (0, 0, 0), (b.u(0.56, 0.68), b.u(0.42, 0.58)), yaw=b.u(0, math.pi / 2), rounding=0.02)


def mushroom(b: Builder) -> None:
    r, h, z = b.u(0.5, 0.72), b.u(0.34, 0.56), b.u(0.0, 0.12)
    b.add("ellipsoid", (0, 0, z), (r, r, h))
    cream = b.pick(CREAM)
    b.add("box", (0, 0, z - 0.5), (1, 1, 0.5), cream, carve=True)
    b.add("cone", (0, 0, (z - 0.65) / 2), (b.u(0.16, 0.26), b.u(0.12, 0.2), (z + 0.7) / 2), cream)


def house(b: Builder) -> None:
    w, d, h = b.u(0.4, 0.52), b.u(0.42, 0.55), b.u(0.28, 0.38)
    z = -0.62 + h
    b.add("box", (0, 0, z), (w, d, h))
    top, r = z + h, b.u(0.22, 0.34)
    b.add("pyramid", (0, 0, top + r), (torch.maximum(w, d) + b.u(0.08, 0.16), r), b.pick(ROOF))
    y, side = b.u(-0.1, 0.1), torch.where(b.chance(0.5), 1.0, -1.0)
    b.add("box", (w, y, -0.62 + 0.2), (0.03, 0.11, 0.2), b.pick(WOOD + DARK))
    b.add("box", (w, y + side * 0.27, z + 0.06), (0.02, 0.09, 0.09), b.pick(GLASS), keep=b.chance(0.7))
    b.add("box", (-0.2, side * 0.24, top + 0.3), (0.08, 0.08, 0.25), b.pick(GREY + ROOF), keep=b.chance(0.5))


def tree(b: Builder) -> None:
    r, three = b.u(0.44, 0.6), b.chance(0.5)
    b.add("cylinder", (0, 0, -0.6), (b.u(0.07, 0.13), 0.25), b.pick(WOOD))
    b.add("cone", (0, 0, -0.15), (r, 0.05, 0.32))
    b.add("cone", (0, 0, 0.2), (r * 0.8, 0.03, 0.3))
    b.add("cone", (0, 0, 0.52), (r * 0.6, 0.01, 0.28), keep=three)


def snowman(b: Builder) -> None:
    r1, r2, r3 = b.u(0.36, 0.44), b.u(0.26, 0.32), b.u(0.2, 0.25)
    z1 = -0.82 + r1
    z2 = z1 + (r1 + r2) * 0.8
    z3 = z2 + (r2 + r3) * 0.8
    b.add("ellipsoid", (0, 0, z1), (r1, r1, r1))
    b.add("ellipsoid", (0, 0, z2), (r2, r2, r2))
    b.add("ellipsoid", (0, 0, z3), (r3, r3, r3))
    dark = b.pick(DARK)
    b.add("cone", (r3 + 0.08, 0, z3), (0.06, 0.01, 0.12), b.pick(BEAK), axis="x")
    for side in (-1, 1):
        b.add("ellipsoid", (r3 * 0.86, side * 0.09, z3 + 0.08), (0.045, 0.045, 0.045), dark)
    for height in (0.1, -0.08):
        b.add("ellipsoid", (r2 * 0.98, 0, z2 + height), (0.04, 0.04, 0.04), dark)
    hat = b.chance(0.6)
    b.add("cylinder", (0, 0, z3 + r3 * 0.8), (r3 * 1.15, 0.02), dark, keep=hat)
    b.add("cylinder", (0, 0, z3 + r3 * 0.8 + 0.11), (r3 * 0.75, 0.11), dark, keep=hat)


def rocket(b: Builder) -> None:
    r, h = b.u(0.19, 0.27), b.u(0.36, 0.46)
    trim = b.pick(DARK + GREY + ROOF)
    b.add("cylinder", (0, 0, -0.1), (r, h))
    b.add("cone", (0, 0, h + 0.1), (r, 0.02, 0.2), trim)
    b.add("cone", (0, 0, -0.16 - h), (r * 0.75, r * 0.5, 0.08), b.pick(DARK))
    four, start = b.chance(0.5), b.u(0, math.pi / 2)
    for i, (x, y, a) in enumerate(b.around(4, start, r + 0.1)):
        b.add("box", (x, y, -h - 0.02), (0.13, 0.025, 0.17), trim, yaw=a, keep=four if i % 2 else None)
    b.add("ellipsoid", (r * 0.9, 0, 0.1), (0.06, 0.09, 0.09), b.pick(GLASS))


def table(b: Builder) -> None:
    w, d, z, leg = b.u(0.42, 0.62), b.u(0.5, 0.7), b.u(0.1, 0.3), b.u(0.04, 0.07)
    b.add("box", (0, 0, z), (w, d, 0.05), rounding=0.01)
    for x in (-1, 1):
        for y in (-1, 1):
            b.add("box", (x * (w - leg), y * (d - leg), (z - 0.6) / 2), (leg, leg, (z + 0.6) / 2))


def chair(b: Builder) -> None:
    w, z, leg = b.u(0.32, 0.42), b.u(-0.2, -0.05), b.u(0.035, 0.06)
    back = b.u(0.32, 0.46)
    b.add("box", (0, 0, z), (w, w, 0.05), rounding=0.01)
    for x in (-1, 1):
        for y in (-1, 1):
            b.add("box", (x * (w - leg), y * (w - leg), (z - 0.8) / 2), (leg, leg, (z + 0.8) / 2))
    b.add("box", (-w + 0.05, 0, z + back), (0.045, w, back), rounding=0.01)


def mug(b: Builder) -> None:
    r, h = b.u(0.36, 0.46), b.u(0.38, 0.52)
    b.add("torus", (0, r + 0.06, 0), (b.u(0.19, 0.25), 0.06), axis="x")
    b.add("cylinder", (0, 0, 0), (r, h), rounding=0.01)
    b.add("cylinder", (0, 0, 0.12), (r - 0.07, h), b.pick(CREAM), carve=True)
    b.add("cylinder", (0, 0, 0), (r - 0.06, h * 0.6), b.pick(DARK + WOOD), keep=b.chance(0.6))


def lamp(b: Builder) -> None:
    trim, r = b.pick(DARK + GREY + WOOD), b.u(0.4, 0.54)
    b.add("cylinder", (0, 0, -0.74), (b.u(0.24, 0.34), 0.04), trim, rounding=0.01)
    b.add("cylinder", (0, 0, -0.25), (0.045, 0.5), trim)
    b.add("cone", (0, 0, 0.42), (r, r * b.u(0.4, 0.65), b.u(0.26, 0.36)))


def bottle(b: Builder) -> None:
    r, h = b.u(0.24, 0.32), b.u(0.36, 0.46)
    z = -0.82 + h
    b.add("cylinder", (0, 0, z), (r, h), rounding=0.02)
    b.add("cone", (0, 0, z + h + 0.11), (r, 0.1, 0.11))
    b.add("cylinder", (0, 0, z + h + 0.3), (0.1, 0.14))
    b.add("cylinder", (0, 0, z + h + 0.47), (0.12, 0.06), b.pick(CREAM + DARK + GREY))
    b.add("box", (r, 0, z), (0.05, r * 0.75, h * 0.5), b.pick(CREAM))


def car(b: Builder) -> None:
    length, w = b.u(0.68, 0.78), b.u(0.3, 0.36)
    b.add("box", (0, 0, -0.12), (length, w, 0.14), rounding=0.05)
    cab = b.u(0.3, 0.42)
    b.add("box", (-0.12, 0, 0.18), (cab, w - 0.05, 0.16), rounding=0.04)
    glass, dark = b.pick(GLASS + DARK), b.pick(DARK)
    b.add("box", (-0.12 + cab, 0, 0.2), (0.06, w - 0.09, 0.1), glass)
    b.add("box", (-0.12, 0, 0.2), (cab * 0.8, w, 0.09), glass)
    for x in (-0.45, 0.45):
        for side in (-1, 1):
            b.add("cylinder", (x, side * (w + 0.04), -0.28), (b.u(0.15, 0.19), 0.05), dark, axis="y")
    for side in (-1, 1):
        b.add("ellipsoid", (length + 0.05, side * 0.2, -0.08), (0.04, 0.07, 0.07), b.pick(CREAM))


def boat(b: Builder) -> None:
    length, w, z = b.u(0.68, 0.8), b.u(0.28, 0.36), b.u(-0.3, -0.2)
    b.add("ellipsoid", (0, 0, z), (length, w, 0.34))
    b.add("box", (0, 0, z + 0.5), (1, 1, 0.5), b.pick(WOOD), carve=True)
    wood = b.pick(WOOD)
    b.add("cylinder", (0, 0, 0.2), (0.03, 0.55), wood)
    b.add("box", (0.05, 0, 0.36), (0.02, b.u(0.28, 0.4), b.u(0.22, 0.3)), b.pick(CREAM))


def cactus(b: Builder) -> None:
    r, arms = b.u(0.15, 0.21), b.chance(0.7)
    b.add("cylinder", (0, 0, 0.1), (r * 0.4, 0.52), rounding=r * 0.6)
    for side in (-1, 1):
        z, reach = b.u(-0.1, 0.2), r + b.u(0.16, 0.26)
        keep = None if side > 0 else arms
        b.add("cylinder", (0, side * reach / 2, z), (0.03, reach / 2), axis="y", rounding=0.06, keep=keep)
        b.add("cylinder", (0, side * reach, z + 0.17), (0.03, 0.16), rounding=0.06, keep=keep)
    b.add("cone", (0, 0, -0.6), (0.24, 0.34, 0.2), b.pick(ROOF[:2] + WOOD))


def duck(b: Builder) -> None:
    length, r = b.u(0.46, 0.56), b.u(0.24, 0.3)
    b.add("ellipsoid", (-0.1, 0, -0.25), (length, 0.36, 0.32))
    b.add("ellipsoid", (0.28, 0, 0.25), (r, r, r))
    b.add("ellipsoid", (-0.58, 0, -0.05), (0.2, 0.16, 0.12))
    b.add("ellipsoid", (0.28 + r + 0.06, 0, 0.2), (0.17, 0.13, 0.05), b.pick(BEAK))
    dark = b.pick(DARK)
    for side in (-1, 1):
        b.add("ellipsoid", (0.28 + r * 0.7, side * r * 0.55, 0.36), (0.05, 0.05, 0.05), dark)
        b.add("ellipsoid", (-0.12, side * 0.34, -0.2), (0.28, 0.06, 0.17))


def robot(b: Builder) -> None:
    w, h, head = b.u(0.28, 0.36), b.u(0.26, 0.34), b.u(0.19, 0.25)
    grey, dark, light = b.pick(GREY), b.pick(DARK), b.pick(GLASS)
    top = -0.1 + h
    b.add("box", (0, 0, -0.1), (0.22, w, h), rounding=0.02)
    b.add("box", (0, 0, top + head + 0.07), (head * 0.9, head, head * 0.85), rounding=0.02)
    for side in (-1, 1):
        b.add("ellipsoid", (head * 0.9 + 0.01, side * head * 0.45, top + head + 0.1), (0.04, 0.065, 0.065), light)
        b.add("box", (0, side * (w + 0.12), -0.08), (0.08, 0.07, h * 0.9), grey, rounding=0.02)
        b.add("box", (0, side * w * 0.55, -0.62), (0.1, 0.1, 0.26), grey, rounding=0.02)
    b.add("box", (0.24, 0, -0.06), (0.02, w * 0.6, h * 0.45), dark)
    b.add("cylinder", (0, 0, top + head * 2 + 0.1), (0.02, 0.14), grey, keep=b.chance(0.6))


def umbrella(b: Builder) -> None:
    r, h, z = b.u(0.68, 0.82), b.u(0.36, 0.48), b.u(0.12, 0.22)
    inner = b.pick(DARK + GREY)
    b.add("ellipsoid", (0, 0, z), (r, r, h))
    b.add("ellipsoid", (0, 0, z - 0.05), (r - 0.02, r - 0.02, h - 0.02), inner, carve=True)
    b.add("box", (0, 0, z - 0.5), (1, 1, 0.5), inner, carve=True)
    pole = b.pick(WOOD + DARK)
    b.add("cylinder", (0, 0, -0.1), (0.03, 0.66), pole)
    b.add("cylinder", (0, 0, z + h), (0.045, 0.09), pole)
    b.add("torus", (0, 0.09, -0.74), (0.09, 0.03), pole, axis="x")


def tower(b: Builder) -> None:
    r, h = b.u(0.28, 0.36), b.u(0.5, 0.6)
    b.add("cylinder", (0, 0, -0.2), (r, h))
    top = -0.2 + h
    b.add("cylinder", (0, 0, top + 0.06), (r + 0.07, 0.07))
    for x, y, a in b.around(6, b.u(0, 1), r):
        b.add("box", (x, y, top + 0.2), (0.06, 0.08, 0.09), yaw=a)
    dark = b.pick(DARK + WOOD)
    b.add("box", (r - 0.02, 0, -0.2 - h + 0.18), (0.05, 0.11, 0.18), dark)
    b.add("box", (r - 0.02, 0, 0.08), (0.04, 0.06, 0.1), dark)


def hourglass(b: Builder) -> None:
    r, h, wood = b.u(0.36, 0.46), b.u(0.3, 0.36), b.pick(WOOD + DARK)
    b.add("cone", (0, 0, -h), (r, 0.05, h))
    b.add("cone", (0, 0, h), (0.05, r, h))
    for side in (-1, 1):
        b.add("cylinder", (0, 0, side * (2 * h + 0.04)), (r + 0.07, 0.05), wood, rounding=0.01)


BUILDERS: dict[str, Callable[[Builder], None]] = {kind: globals()[kind] for kind in KINDS}


def build(
    kind: str, color: list[str | None], pattern: list[str | None], generator: torch.Generator
) -> tuple[Solid, Tensor, Tensor]:
    """Build n things of one kind; returns their parts, and their lowest and highest z (n,).

    Args:
        color: n names of colors; None draws one.
        pattern: n names of patterns, None for plain.
    """
    n = len(color)
    free = torch.randint(len(COLORS), (n,), generator=generator)
    names = [c or COLORS[int(f)] for c, f in zip(color, free, strict=True)]
    main = vary(torch.tensor([RGB[name] for name in names]), generator)
    code = torch.tensor([0 if p is None else 1 + PATTERNS.index(p) for p in pattern])
    light = torch.rand(n, generator=generator) < 0.5
    light |= torch.tensor([name == "black" for name in names])
    light &= torch.tensor([name not in ("white", "yellow", "pink") for name in names])
    second = torch.where(light[:, None], torch.tensor(RGB["white"]), torch.tensor(RGB["black"]))
    builder = Builder(n, generator, main, code, second)
    BUILDERS[kind](builder)
    low, high = extent(builder.parts)
    middle = (low + high) / 2
    return move(builder.parts, 1.0, z=-middle), low - middle, high - middle


def extent(parts: Solid) -> tuple[Tensor, Tensor]:
    """Lowest and highest z (n,) of the parts that are there and not carved away."""
    low, high = [], []
    for p in parts:
        if p.carve:
            continue
        half = _half_height(p) + p.rounding
        low.append(torch.where(p.keep, p.center[:, 2] - half, torch.inf))
        high.append(torch.where(p.keep, p.center[:, 2] + half, -torch.inf))
    return torch.stack(low).amin(dim=0), torch.stack(high).amax(dim=0)


def _half_height(p: Part) -> Tensor:
    if p.shape in ("ellipsoid", "box"):
        return p.size[:, 2]
    if p.shape == "torus":
        return p.size[:, 1] if p.axis == "z" else p.size.sum(dim=-1)
    if p.axis != "z":
        return p.size[:, 0]
    return p.size[:, -1]


def move(parts: Solid, scale: Value, y: Value = 0.0, z: Value = 0.0) -> Solid:
    """Scale parts about the origin, then shift them."""
    n = len(parts[0].center)
    s = scale.expand(n) if isinstance(scale, Tensor) else torch.full((n,), float(scale))
    shift = torch.zeros(n, 3)
    shift[:, 1], shift[:, 2] = y, z
    return [
        replace(
            p,
            center=p.center * s[:, None] + shift,
            size=p.size * s[:, None],
            rounding=p.rounding * s,
            frequency=p.frequency / s,
        )
        for p in parts
    ]
