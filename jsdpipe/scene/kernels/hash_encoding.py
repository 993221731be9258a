"""The multi-resolution hash encoding (instant-ngp, arXiv 2201.05989, section 3), twice differentiable.

For features E(p) T at points p from a table T, and a gradient g on them, all derivatives are those of <g, E(p) T>: by g
the features, by T the table's gradient, by p the slopes. There is a kernel for each. Derivatives of these three along a
direction v of p come from the same kernels, with the derivatives of the trilinear weights along v. The weights are
linear along each axis, so their second derivative is 0 by one coordinate twice, but not by two of them.

The table's gradient is a sum in an order that the GPU chooses. It is added up in 64-bit integers, so that the order
does not matter: each contribution is rounded to 2^-61 of the sum of all magnitudes in its level and feature.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from jsdpipe.scene.hash_grid.encoding import Level

BLOCK = 128  # points of a program
PRIME_Y, PRIME_Z = tl.constexpr(2_654_435_761), tl.constexpr(805_459_861)  # eq. 4; that of x is 1
UNITS = 2.0**62  # the sum of all magnitudes as an integer, at most; so no sum overflows


def encode(points: Tensor, table: Tensor, levels: "Sequence[Level]") -> Tensor:
    """Features (N, len(levels) * F) at points (N, 3) of the unit cube from a table (T, F) of these levels, or more.

    Points and table have the same floating type. Twice differentiable by both.
    """
    return _Features.apply(points, table, tuple(levels))


class _Features(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, table: Tensor, levels: "tuple[Level, ...]") -> Tensor:
        ctx.save_for_backward(points, table)
        ctx.levels = levels
        return features(points, table, levels)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        points, table = ctx.saved_tensors
        (on_features,) = gradients
        by_points, by_table, _ = ctx.needs_input_grad
        return (
            _Slopes.apply(points, table, on_features, ctx.levels) if by_points else None,
            _TableGradient.apply(points, on_features, len(table), ctx.levels) if by_table else None,
            None,
        )


class _TableGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, on_features: Tensor, entries: int, levels: "tuple[Level, ...]") -> Tensor:
        ctx.save_for_backward(points, on_features)
        ctx.levels = levels
        return table_gradient(points, on_features, entries, levels)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        points, on_features = ctx.saved_tensors
        (table,) = gradients  # takes the table's place in <g, E(p) T>
        by_points, by_features, *_ = ctx.needs_input_grad
        return (
            _Slopes.apply(points, table, on_features, ctx.levels) if by_points else None,
            _Features.apply(points, table, ctx.levels) if by_features else None,
            None,
            None,
        )


class _Slopes(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, table: Tensor, on_features: Tensor, levels: "tuple[Level, ...]") -> Tensor:
        ctx.save_for_backward(points, table, on_features)
        ctx.levels = levels
        return slopes(points, table, on_features, levels)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        points, table, on_features = ctx.saved_tensors
        (along,) = gradients
        by_points, by_table, by_features, _ = ctx.needs_input_grad
        return (
            slopes(points, table, on_features, ctx.levels, along) if by_points else None,
            table_gradient(points, on_features, len(table), ctx.levels, along) if by_table else None,
            features(points, table, ctx.levels, along) if by_features else None,
            None,
        )


def features(points: Tensor, table: Tensor, levels: "tuple[Level, ...]", along: Tensor | None = None) -> Tensor:
    """Features (N, L * F) at points (N, 3) from a table (T, F), or their derivatives along directions (N, 3)."""
    width = table.shape[1]
    found = points.new_empty(len(points), len(levels) * width)
    _features_kernel[_blocks(points), len(levels)](
        points.contiguous(), _direction(points, along), table.contiguous(), found, *_layout(levels, points.device),
        len(points), **_constants(width, along), LEVELS=len(levels),
    )  # fmt: skip
    return found


def table_gradient(
    points: Tensor, on_features: Tensor, entries: int, levels: "tuple[Level, ...]", along: Tensor | None = None
) -> Tensor:
    """Gradient on a table (T, F) of T entries from that on its features (N, L * F), or on their derivatives along
    directions (N, 3).

    If a gradient is not finite, all entries of its level and feature are NaN.
    """
    width = on_features.shape[1] // len(levels)
    scales, shapes = _layout(levels, points.device)
    magnitudes = torch.linalg.vector_norm(
        on_features if along is None else on_features * along.abs().sum(dim=1, keepdim=True),
        ord=1, dim=0, dtype=torch.double,
    )  # fmt: skip
    # The eight weights of a point add up to 1, the magnitudes of their derivatives along an axis to twice the scale.
    most = magnitudes if along is None else magnitudes * (2 * scales).repeat_interleave(width)
    # powers of two, which rounding of `most` hardly ever turns; 0 or NaN if a gradient is not finite
    units = (UNITS / most.clamp(min=1e-200)).log2().floor().exp2()
    sums = torch.zeros(entries, width, dtype=torch.long, device=points.device)
    _table_gradient_kernel[_blocks(points), len(levels)](
        points.contiguous(), _direction(points, along), on_features.contiguous(), units, sums, scales, shapes,
        len(points), **_constants(width, along), LEVELS=len(levels),
    )  # fmt: skip
    found = torch.zeros(entries, width, dtype=points.dtype, device=points.device)
    for level, (begin, end) in enumerate(_ranges(levels)):
        found[begin:end] = sums[begin:end] / units[level * width : (level + 1) * width]
    return found


def slopes(
    points: Tensor, table: Tensor, on_features: Tensor, levels: "tuple[Level, ...]", along: Tensor | None = None
) -> Tensor:
    """Gradient on points (N, 3) from that on their features (N, L * F), or on their derivatives along directions."""
    found = torch.empty_like(points, memory_format=torch.contiguous_format)
    _slopes_kernel[(_blocks(points),)](
        points.contiguous(), _direction(points, along), table.contiguous(), on_features.contiguous(), found,
        *_layout(levels, points.device), len(points), **_constants(table.shape[1], along), LEVELS=len(levels),
    )  # fmt: skip
    return found


def _blocks(points: Tensor) -> int:
    return triton.cdiv(len(points), BLOCK)


def _direction(points: Tensor, along: Tensor | None) -> Tensor:
    return points if along is None else along.contiguous()  # a kernel does not read it without ALONG


def _constants(width: int, along: Tensor | None) -> dict[str, Any]:
    return {
        "FEATURES": width,
        "COLUMNS": triton.next_power_of_2(width),
        "ALONG": along is not None,
        "BLOCK": BLOCK,
        # A product and a sum that are rounded at once would put points into other cells than in PyTorch.
        "enable_fp_fusion": False,
    }


def _ranges(levels: "tuple[Level, ...]") -> list[tuple[int, int]]:
    """The first entry of each level, and the one behind its last."""
    ends = [0]
    for level in levels:
        ends.append(ends[-1] + level.entries)
    return list(pairwise(ends))


@cache
def _layout(levels: "tuple[Level, ...]", device: torch.device) -> tuple[Tensor, Tensor]:
    """Scales (L,), and of each level its points a side, 0 if it is hashed, its entries, and its first entry (L, 3)."""
    shapes = [
        (0 if level.hashed else level.resolution, level.entries, begin)
        for level, (begin, _) in zip(levels, _ranges(levels), strict=True)
    ]
    scales = torch.tensor([level.scale for level in levels], dtype=torch.double, device=device)
    return scales, torch.tensor(shapes, device=device)


# In the kernels `x`, `y`, `z` are the points' cells (BLOCK,) in a level, and `far_*` the places in the cells (BLOCK,),
# from 0 at the lower corner to 1 at the upper one. Corner 0 is the lower one on all axes; its bits 1, 2, 4 are x, y, z.


@triton.jit
def _place(points, axis: tl.constexpr, scale, rows, inside):
    position = tl.load(points + rows * 3 + axis, mask=inside, other=0.0) * scale + 0.5
    cell = tl.floor(position)
    return cell.to(tl.int64).to(tl.uint32), position - cell


@triton.jit
def _places(points, scale, rows, inside):
    x, far_x = _place(points, 0, scale, rows, inside)
    y, far_y = _place(points, 1, scale, rows, inside)
    z, far_z = _place(points, 2, scale, rows, inside)
    return x, y, z, far_x, far_y, far_z


@triton.jit
def _entry(x, y, z, CORNER: tl.constexpr, resolution, entries, begin):
    """The corner's entry in the table."""
    x, y, z = x + (CORNER & 1), y + (CORNER >> 1 & 1), z + (CORNER >> 2)
    dense = x + resolution * (y + resolution * z)
    hashed = x ^ (y * PRIME_Y) ^ (z * PRIME_Z)
    return begin + (tl.where(resolution > 0, dense, hashed) % entries).to(tl.int64)


@triton.jit
def _weights(far_x, far_y, far_z, CORNER: tl.constexpr):
    """The corner's weight along each axis."""
    along_x = far_x if CORNER & 1 else 1 - far_x
    along_y = far_y if CORNER & 2 else 1 - far_y
    along_z = far_z if CORNER & 4 else 1 - far_z
    return along_x, along_y, along_z


@triton.jit
def _signed(x, y, z, CORNER: tl.constexpr):
    """A vector times the signs of the slopes of the corner's weights along each axis."""
    return x if CORNER & 1 else -x, y if CORNER & 2 else -y, z if CORNER & 4 else -z


@triton.jit
def _share(far_x, far_y, far_z, v_x, v_y, v_z, CORNER: tl.constexpr, ALONG: tl.constexpr):
    """The corner's weight (BLOCK,), or its derivative along v, which is in cells."""
    w_x, w_y, w_z = _weights(far_x, far_y, far_z, CORNER)
    share = w_x * w_y * w_z
    if ALONG:
        s_x, s_y, s_z = _signed(v_x, v_y, v_z, CORNER)
        share = s_x * w_y * w_z + w_x * s_y * w_z + w_x * w_y * s_z
    return share


@triton.jit
def _directions(along, scale, rows, inside, ALONG: tl.constexpr):
    """The directions v in cells; not used without ALONG."""
    v_x, v_y, v_z = scale, scale, scale
    if ALONG:
        v_x = tl.load(along + rows * 3, mask=inside, other=0.0) * scale
        v_y = tl.load(along + rows * 3 + 1, mask=inside, other=0.0) * scale
        v_z = tl.load(along + rows * 3 + 2, mask=inside, other=0.0) * scale
    return v_x, v_y, v_z


@triton.jit
def _level(scales, shapes, level, dtype: tl.constexpr):
    """Scale, points a side or 0, entries, first entry."""
    scale = tl.load(scales + level).to(dtype)
    resolution = tl.load(shapes + level * 3).to(tl.uint32)
    return scale, resolution, tl.load(shapes + level * 3 + 1).to(tl.uint32), tl.load(shapes + level * 3 + 2)


@triton.jit
def _rows(n, BLOCK: tl.constexpr):
    rows = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    return rows, rows < n


@triton.jit
def _features_kernel(
    points, along, table, found, scales, shapes, n,
    FEATURES: tl.constexpr, COLUMNS: tl.constexpr, ALONG: tl.constexpr, BLOCK: tl.constexpr, LEVELS: tl.constexpr,
):  # fmt: skip
    level = tl.program_id(1)
    rows, inside = _rows(n, BLOCK)
    scale, resolution, entries, begin = _level(scales, shapes, level, points.dtype.element_ty)
    x, y, z, far_x, far_y, far_z = _places(points, scale, rows, inside)
    v_x, v_y, v_z = _directions(along, scale, rows, inside, ALONG)
    column = tl.arange(0, COLUMNS)
    mask = inside[:, None] & (column < FEATURES)[None, :]
    total = tl.zeros((BLOCK, COLUMNS), found.dtype.element_ty)
    for corner in tl.static_range(8):
        share = _share(far_x, far_y, far_z, v_x, v_y, v_z, corner, ALONG)
        entry = _entry(x, y, z, corner, resolution, entries, begin)
        values = tl.load(table + entry[:, None] * FEATURES + column[None, :], mask=mask, other=0.0)
        total += share[:, None] * values
    to = rows[:, None] * (LEVELS * FEATURES) + level * FEATURES + column[None, :]
    tl.store(found + to, total, mask=mask)


@triton.jit
def _table_gradient_kernel(
    points, along, on_features, units, sums, scales, shapes, n,
    FEATURES: tl.constexpr, COLUMNS: tl.constexpr, ALONG: tl.constexpr, BLOCK: tl.constexpr, LEVELS: tl.constexpr,
):  # fmt: skip
    level = tl.program_id(1)
    rows, inside = _rows(n, BLOCK)
    scale, resolution, entries, begin = _level(scales, shapes, level, points.dtype.element_ty)
    x, y, z, far_x, far_y, far_z = _places(points, scale, rows, inside)
    v_x, v_y, v_z = _directions(along, scale, rows, inside, ALONG)
    column = tl.arange(0, COLUMNS)
    mask = inside[:, None] & (column < FEATURES)[None, :]
    at = rows[:, None] * (LEVELS * FEATURES) + level * FEATURES + column[None, :]
    gradient = tl.load(on_features + at, mask=mask, other=0.0).to(tl.float64)
    unit = tl.load(units + level * FEATURES + column, mask=column < FEATURES, other=0.0)[None, :]
    # where a gradient is not finite, 0 is added: divided by a unit of 0 or NaN, it gives NaN
    finite = unit > 0
    in_units = tl.where(finite, gradient, 0.0) * tl.where(finite, unit, 0.0)
    for corner in tl.static_range(8):
        share = _share(far_x, far_y, far_z, v_x, v_y, v_z, corner, ALONG)
        entry = _entry(x, y, z, corner, resolution, entries, begin)
        amount = (share[:, None].to(tl.float64) * in_units).to(tl.int64)
        tl.atomic_add(sums + entry[:, None] * FEATURES + column[None, :], amount, mask=mask, sem="relaxed")


@triton.jit
def _slopes_kernel(
    points, along, table, on_features, found, scales, shapes, n,
    FEATURES: tl.constexpr, COLUMNS: tl.constexpr, ALONG: tl.constexpr, BLOCK: tl.constexpr, LEVELS: tl.constexpr,
):  # fmt: skip
    rows, inside = _rows(n, BLOCK)
    column = tl.arange(0, COLUMNS)
    mask = inside[:, None] & (column < FEATURES)[None, :]
    on_x = tl.zeros((BLOCK,), found.dtype.element_ty)
    on_y = tl.zeros((BLOCK,), found.dtype.element_ty)
    on_z = tl.zeros((BLOCK,), found.dtype.element_ty)
    for level in range(LEVELS):
        scale, resolution, entries, begin = _level(scales, shapes, level, points.dtype.element_ty)
        x, y, z, far_x, far_y, far_z = _places(points, scale, rows, inside)
        v_x, v_y, v_z = _directions(along, scale, rows, inside, ALONG)
        at = rows[:, None] * (LEVELS * FEATURES) + level * FEATURES + column[None, :]
        gradient = tl.load(on_features + at, mask=mask, other=0.0)
        for corner in tl.static_range(8):
            entry = _entry(x, y, z, corner, resolution, entries, begin)
            values = tl.load(table + entry[:, None] * FEATURES + column[None, :], mask=mask, other=0.0)
            product = scale * tl.sum(gradient * values, axis=1)
            w_x, w_y, w_z = _weights(far_x, far_y, far_z, corner)
            p_x, p_y, p_z = _signed(product, product, product, corner)
            if ALONG:
                s_x, s_y, s_z = _signed(v_x, v_y, v_z, corner)
                on_x += p_x * (s_y * w_z + w_y * s_z)
                on_y += p_y * (s_x * w_z + w_x * s_z)
                on_z += p_z * (s_x * w_y + w_x * s_y)
            else:
                on_x += p_x * w_y * w_z
                on_y += p_y * w_x * w_z
                on_z += p_z * w_x * w_y
    tl.store(found + rows * 3, on_x, mask=inside)
    tl.store(found + rows * 3 + 1, on_y, mask=inside)
    tl.store(found + rows * 3 + 2, on_z, mask=inside)
