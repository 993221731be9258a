"""Escaping, by reading back; layout, by hand."""

import re

from hypothesis import given
from hypothesis import strategies as st

from jsdpipe.report.markup import LATEX, Cell, Table, escape_latex, escape_markdown, latex, markdown, one_line

TABLE = Table(
    "t",
    "50% of it",
    ("Set", "Method", "Quality ↑"),
    2,
    (
        (Cell("a"), Cell("x|y_z"), Cell("1.0", "[0.5, 1.5]", best=True)),
        (Cell("a"), Cell("[z]"), Cell("0.5")),
        (Cell("b"), Cell("w"), Cell("2.0")),
    ),
    "nothing",
)
printable = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs"))).map(one_line)
specials = st.text('&%$#_{}~^\\<>|"ab ', max_size=20).map(one_line)


@given(printable | specials)
def test_latex_reads_back(text):
    back = {command: character for character, command in LATEX.items()}
    tokens = re.findall(r"\\[a-z]+\{\}|\$\\[a-z]+\$|\$-\$|\$\^n\$|--|\\[&%$#_{}]|.", escape_latex(text), re.DOTALL)
    assert "".join(back.get(token, token) for token in tokens) == text.replace("--", "\N{EN DASH}")
    assert not any(token in set("&%$#_{}~^\\") for token in tokens)


def test_latex_by_hand():
    assert escape_latex("50% & $x_1$ #2 {~^}\\") == (
        r"50\% \& \$x\_1\$ \#2 \{\textasciitilde{}\textasciicircum{}\}\textbackslash{}"
    )


@given(printable | specials)
def test_markdown_reads_back(text):
    escaped = escape_markdown(text)
    assert re.sub(r"\\([\\`*_{}\[\]<>#|~$&!])", r"\1", escaped) == text
    assert not re.search(r"(?<!\\)(?:\\\\)*[|<>*_`]", escaped)


def test_line_breaks_become_spaces():
    assert escape_latex("a\n\n b\tc") == escape_markdown("a\n\n b\tc") == "a b c"


def test_markdown_table():
    assert markdown(TABLE).splitlines() == [
        "50% of it",
        "",
        "| Set | Method | Quality ↑ |",
        "| :-- | :-- | --: |",
        r"| a | x\|y\_z | **1.0** \[0.5, 1.5\] |",
        r"| a | \[z\] | 0.5 |",
        "| b | w | 2.0 |",
    ]


def test_latex_table():
    lines = [line.strip() for line in latex(TABLE).splitlines()]
    assert lines[lines.index(r"\toprule") : lines.index(r"\bottomrule") + 1] == [
        r"\toprule",
        r"Set & Method & Quality $\uparrow$ \\",
        r"\midrule",
        r"a & x\textbar{}y\_z & \textbf{1.0} {\scriptsize [0.5, 1.5]} \\",
        r"a & {}[z] & 0.5 \\",
        r"\midrule",
        r"b & w & 2.0 \\",
        r"\bottomrule",
    ]
    assert r"\caption{50\% of it}" in lines
    assert r"\begin{tabular}{llr}" in lines


def test_an_empty_table_says_why():
    empty = Table("t", "Caption", ("Set",), 1, (), "nothing")
    assert markdown(empty) == "Caption\n\nnothing\n"
    assert latex(empty) == "% Caption\n% nothing\n"
