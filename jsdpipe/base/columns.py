"""Plain text in columns, the same on a terminal and in a file."""

from collections.abc import Sequence

from jsdpipe.base.errors import printable


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Format rows of equal length, one per line, with aligned cells two spaces apart."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)
