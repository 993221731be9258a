"""A table for people, and its Markdown and LaTeX; prompts and names are data and escaped in both."""

import re
from dataclasses import dataclass

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "\N{EN DASH}": "--",
    "\N{MINUS SIGN}": "$-$",
    "≤": r"$\leq$",
    "ⁿ": "$^n$",
    **{character: "\\" + character for character in "&%$#_{}"},
}


@dataclass(frozen=True)
class Cell:
    """One value as text; `aside` is its interval, `link` the place in the report that it comes from."""

    text: str
    aside: str = ""
    best: bool = False
    link: str = ""
    colour: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells under `header`; the first `labels` columns are text, the others numbers.

    A new value in the first column starts a group. `empty` is said where there are no rows.
    """

    name: str
    caption: str
    header: tuple[str, ...]
    labels: int
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = ""

    def groups(self) -> list[list[tuple[Cell, ...]]]:
        """The rows, split where the first column's text changes."""
        groups: list[list[tuple[Cell, ...]]] = []
        for row in self.rows:
            if not groups or groups[-1][0][0].text != row[0].text:
                groups.append([])
            groups[-1].append(row)
        return groups

    def with_aside(self) -> set[int]:
        """The columns in which any cell has an aside."""
        return {column for row in self.rows for column, cell in enumerate(row) if cell.aside}


def one_line(text: str) -> str:
    """Text with every run of white space, line breaks included, as one space."""
    return " ".join(text.split())


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is, in a table's cell too."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$&!])", r"\\\1", one_line(text))


def escape_latex(text: str) -> str:
    """Text that LaTeX (T1 encoding, or XeLaTeX) shows as it is."""
    return "".join(LATEX.get(character, character) for character in one_line(text))


def markdown(table: Table) -> str:
    """The caption, and a pipe table with the best values bold."""
    if not table.rows:
        return f"{escape_markdown(table.caption)}\n\n{escape_markdown(table.empty)}\n"

    def cell(value: Cell) -> str:
        text = escape_markdown(value.text)
        return " ".join(filter(None, (f"**{text}**" if value.best else text, escape_markdown(value.aside))))

    rule = [":--" if i < table.labels else "--:" for i in range(len(table.header))]
    lines = [[escape_markdown(name) for name in table.header], rule, *([cell(c) for c in row] for row in table.rows)]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{escape_markdown(table.caption)}\n\n{body}\n"


def latex(table: Table) -> str:
    """A `table` float with booktabs' rules, a midrule between groups, the best values bold."""
    if not table.rows:
        return f"% {one_line(table.caption)}\n% {one_line(table.empty)}\n"

    def cell(value: Cell) -> str:
        text = escape_latex(value.text)
        text = rf"\textbf{{{text}}}" if value.best else text
        # A bracket at the start of a row would be read as the optional argument of the `\\` before it.
        return "{}" + text if text.startswith("[") else text

    def line(row: tuple[Cell, ...]) -> str:
        return " & ".join(cell(c) + (rf" {{\scriptsize {escape_latex(c.aside)}}}" if c.aside else "") for c in row)

    columns = "l" * table.labels + "r" * (len(table.header) - table.labels)
    body = "    \\midrule\n".join("".join(f"    {line(row)} \\\\\n" for row in group) for group in table.groups())
    return (
        "% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}\n"
        "\\begin{table}\n"
        "  \\centering\n"
        f"  \\caption{{{escape_latex(table.caption)}}}\n"
        f"  \\label{{tab:{table.name}}}\n"
        f"  \\begin{{tabular}}{{{columns}}}\n"
        "    \\toprule\n"
        f"    {' & '.join(map(escape_latex, table.header))} \\\\\n"
        "    \\midrule\n"
        f"{body}"
        "    \\bottomrule\n"
        "  \\end{tabular}\n"
        "\\end{table}\n"
    )
