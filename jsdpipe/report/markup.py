"""Tables for readers, as Markdown and LaTeX; prompts and names are escaped in both."""

import re
from dataclasses import dataclass
from itertools import groupby

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
    "\N{EN DASH}": r"\textendash{}",
    "\N{MINUS SIGN}": "$-$",
    "≤": r"$\leq$",
    "ⁿ": "$^n$",
    "\N{ZERO WIDTH SPACE}": r"\allowbreak{}",
    **{character: "\\" + character for character in "&%$#_{}"},
}
LIGATURE = re.compile(r"([-`',])(?=\1)|[?!](?=`)")  # pairs that T1 fonts draw as another character
LONGEST = 160
LONGEST_WORD = 20


@dataclass(frozen=True)
class Cell:
    """One value as text; `aside` is its interval, and `link` leads to the data behind it in the report."""

    text: str
    aside: str = ""
    best: bool = False
    link: str = ""
    color: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells under `header`; the first `labels` columns are text, the others numbers.

    A new value in the first column starts a group, and so does a change to or from the rows `apart`, given by number.
    `empty` is the text in place of a table without rows. The columns `wrapped` hold sentences, which a page breaks into
    lines. `note` is text below the table.
    """

    name: str
    caption: str
    header: tuple[str, ...]
    labels: int
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = ""
    wrapped: tuple[int, ...] = ()
    note: str = ""
    apart: tuple[int, ...] = ()

    def groups(self) -> list[list[tuple[Cell, ...]]]:
        """The rows, group by group."""
        keyed = [((row[0].text, number in self.apart), row) for number, row in enumerate(self.rows)]
        return [[row for _, row in group] for _, group in groupby(keyed, key=lambda pair: pair[0])]

    def with_aside(self) -> set[int]:
        """The columns in which any cell has an aside."""
        return {column for row in self.rows for column, cell in enumerate(row) if cell.aside}


def one_line(text: str) -> str:
    """Text with each run of whitespace, including line breaks, replaced by one space."""
    return " ".join(text.split())


def escape_markdown(text: str) -> str:
    """Text escaped for Markdown, also within a table's cell."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$&!])", r"\\\1", one_line(text))


def escape_latex(text: str) -> str:
    """Text escaped for LaTeX (T1 encoding, or XeLaTeX); beyond printable Latin-1 as code points, such as U+1F344."""
    return LIGATURE.sub(r"\g<0>{}", "".join(map(_latex, one_line(text))))


def _latex(character: str) -> str:
    if character in LATEX:
        return LATEX[character]
    printable = character.isprintable() and ord(character) < 0x100
    return character if printable else rf"\texttt{{U+{ord(character):04X}}}"


def _breakable(text: str) -> str:
    """Text cut to `LONGEST` characters, with possible line breaks in long words and after code points."""
    text = one_line(text)
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
    return re.sub(rf"([^\0-\xff]|[!-\xff]{{{LONGEST_WORD}}})(?=\S)", "\\1\N{ZERO WIDTH SPACE}", text)


def markdown(table: Table) -> str:
    """The caption and a pipe table, with the best values in bold, and the note."""
    if not table.rows:
        return f"{escape_markdown(table.caption)}\n\n{escape_markdown(table.empty)}\n"

    def cell(value: Cell) -> str:
        text = escape_markdown(value.text)
        return " ".join(filter(None, (f"**{text}**" if value.best else text, escape_markdown(value.aside))))

    rule = [":--" if i < table.labels else "--:" for i in range(len(table.header))]
    lines = [[escape_markdown(name) for name in table.header], rule, *([cell(c) for c in row] for row in table.rows)]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    note = f"\n{escape_markdown(table.note)}\n" if table.note else ""
    return f"{escape_markdown(table.caption)}\n\n{body}\n{note}"


def latex(table: Table) -> str:
    """A `table` float with booktabs, a midrule between groups and the best values in bold; no wider than a line."""
    if not table.rows:
        return f"% {one_line(table.caption)}\n% {one_line(table.empty)}\n"

    def cell(column: int, value: Cell) -> str:
        text = escape_latex(_breakable(value.text) if column in table.wrapped else value.text)
        text = rf"\textbf{{{text}}}" if value.best else text
        # A bracket at the start of a row would be read as the optional argument of the `\\` before it.
        text = "{}" + text if text.startswith("[") else text
        return text + (rf" {{\scriptsize {escape_latex(value.aside)}}}" if value.aside else "")

    def line(row: tuple[Cell, ...]) -> str:
        return " & ".join(cell(column, value) for column, value in enumerate(row))

    # Two such columns leave half of the line to the others and the gaps.
    wrapped = r">{\raggedright\arraybackslash}p{0.25\linewidth}"
    columns = "".join(
        wrapped if column in table.wrapped else "l" if column < table.labels else "r"
        for column in range(len(table.header))
    )
    note = rf"  \par\smallskip\footnotesize {escape_latex(table.note)}" + "\n" if table.note else ""
    body = "    \\midrule\n".join("".join(f"    {line(row)} \\\\\n" for row in group) for group in table.groups())
    return (
        "% needs \\usepackage{array}, \\usepackage{booktabs}, \\usepackage{graphicx} and \\usepackage[T1]{fontenc}\n"
        "\\begin{table}\n"
        "  \\centering\n"
        f"  \\caption{{{escape_latex(table.caption)}}}\n"
        f"  \\label{{tab:{table.name}}}\n"
        "  \\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n"
        f"  \\begin{{tabular}}{{{columns}}}\n"
        "    \\toprule\n"
        f"    {' & '.join(map(escape_latex, table.header))} \\\\\n"
        "    \\midrule\n"
        f"{body}"
        "    \\bottomrule\n"
        "  \\end{tabular}}\n"
        f"{note}"
        "\\end{table}\n"
    )
