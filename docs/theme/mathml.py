"""Formulae as MathML, which browsers show without a script; `pymdownx.arithmatex` has marked them."""

import html
import re
from typing import Any

from latex2mathml.converter import convert

MARKED = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    """A page's HTML with its formulae converted."""
    return MARKED.sub(_converted, content)


def _converted(marked: re.Match[str]) -> str:
    return convert(html.unescape(marked[2]), display="block" if marked[1] == "div" else "inline")
