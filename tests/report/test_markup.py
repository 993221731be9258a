"""Escaping, by reading back; layout, by hand."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsdpipe.report.markup import Cell, Table, escape_latex, escape_markdown, latex, markdown, one_line

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
anything = st.text(st.characters(exclude_categories=("Cs",))).map(one_line)
printable = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs"))).map(one_line)
specials = st.text('&%$#_{}~^\\<>|"ab ', max_size=20).map(one_line)
ligatures = st.text("-`',?!<>\N{EN DASH}\N{MINUS SIGN}\N{ZERO WIDTH SPACE}a ", max_size=20).map(one_line)
COMMANDS = {
    "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<", "textgreater": ">",
    "textbar": "|", "textquotedbl": '"', "textendash": "\N{EN DASH}", "allowbreak": "\N{ZERO WIDTH SPACE}",
}  # fmt: skip
MATHS = {r"\uparrow": "↑", r"\downarrow": "↓", "-": "\N{MINUS SIGN}", r"\leq": "≤", "^n": "ⁿ"}
TOKEN = re.compile(
    r"\\texttt\{U\+(?P<point>[0-9A-F]{4,6})\}|\\(?P<command>[a-z]+)\{\}|\\(?P<escaped>[&%$#_{}])|\$(?P<maths>[^$]+)\$"
    r"|(?P<nothing>\{\})|(?P<plain>[^\\{}$&%#_~^])"
)


def shown(source: str) -> str:
    """What LaTeX shows of the little of it that escapes are made of."""
    text, place = "", 0
    while place < len(source):
        token = TOKEN.match(source, place)
        assert token, source[place:]
        point, command, escaped, maths, _, plain = token.groups()
        text += chr(int(point, 16)) if point else COMMANDS[command] if command else MATHS[maths] if maths else ""
        text += escaped or plain or ""
        place = token.end()
    return text


@given(anything | specials | ligatures)
def test_latex_reads_back(text):
    assert shown(escape_latex(text)) == text


@given(anything | specials | ligatures)
def test_latex_is_made_of_what_its_fonts_have_and_joins_nothing(text):
    escaped = escape_latex(text)
    latin_1 = {*range(0x20, 0x7F), *range(0xA1, 0x100)} - {0xAD}  # without the soft hyphen, which does not show
    assert {ord(character) for character in escaped} <= latin_1
    assert not any(pair in escaped for pair in ("``", "''", ",,", "--", "?`", "!`", "<<", ">>"))


def test_latex_by_hand():
    assert escape_latex("50% & $x_1$ #2 {~^}\\") == (
        r"50\% \& \$x\_1\$ \#2 \{\textasciitilde{}\textasciicircum{}\}\textbackslash{}"
    )
    assert escape_latex("Café 🍄 蘑\a") == r"Café \texttt{U+1F344} \texttt{U+8611}\texttt{U+0007}"
    assert escape_latex("---- ``a'' ,, ?` !` <<") == (r"-{}-{}-{}- `{}`a'{}' ,{}, ?{}` !{}` \textless{}\textless{}")


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


def test_a_note_is_below_the_table():
    noted = dataclasses.replace(TABLE, note="50% * x")
    assert markdown(noted).splitlines()[-2:] == ["", r"50% \* x"]
    lines = [line.strip() for line in latex(noted).splitlines()]
    assert lines[-3:] == [r"\end{tabular}}", r"\par\smallskip\footnotesize 50\% * x", r"\end{table}"]


@pytest.mark.parametrize(
    ("text", "longest", "seen"),
    [
        ("a plain sentence, as prompts are", 9, "a plain sentence, as prompts are"),
        ("x" * 2000, 20, "x" * 157 + "..."),
        ("蘑" * 30, 1, "蘑" * 30),
        ("word " * 100, 5, ("word " * 32)[:157] + "..."),
    ],
)
def test_a_wrapped_column_keeps_on_the_page(text, longest, seen):
    table = Table("t", "c", ("Set", "Prompt", "n"), 2, ((Cell("a"), Cell(text), Cell("1")),), wrapped=(1,))
    source = latex(table)
    assert r"\begin{tabular}{l>{\raggedright\arraybackslash}p{0.25\linewidth}r}" in source
    [cell] = re.findall(r"^ *a & (.*) & 1 \\\\$", source, re.MULTILINE)
    parts = re.split("([ \N{ZERO WIDTH SPACE}])", shown(cell))
    assert "".join(part for part in parts if part != "\N{ZERO WIDTH SPACE}") == seen
    assert max(map(len, parts)) <= longest
    assert markdown(table).endswith(f"| a | {text.strip()} | 1 |\n")  # whole


def test_an_empty_table_says_why():
    empty = Table("t", "Caption", ("Set",), 1, (), "nothing")
    assert markdown(empty) == "Caption\n\nnothing\n"
    assert latex(empty) == "% Caption\n% nothing\n"
