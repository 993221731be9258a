"""What states the version says the same."""

import re
from pathlib import Path

import pytest
import yaml

from jsdpipe import __version__

ROOT = Path(__file__).parent.parent
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_citation_is_of_this_version():
    assert CITATION["version"] == __version__


def test_the_changelog_begins_with_this_version_or_what_comes_after():
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert __version__ in headings
    assert set(headings[: headings.index(__version__)]) <= {"Unreleased"}
    assert len(headings) == len(set(headings))


def test_the_citation_has_what_its_format_requires():
    assert CITATION["cff-version"] == "1.2.0"
    assert all(CITATION[key] for key in ("message", "title", "authors"))
    assert CITATION["license"] == "MIT"


@pytest.mark.parametrize("paper", CITATION["references"], ids=lambda paper: paper["title"])
def test_a_paper_has_what_the_format_requires_and_one_number(paper):
    assert all(paper[key] for key in ("type", "title", "authors"))
    assert paper["doi"].rpartition("arXiv.")[2] == paper["url"].rpartition("/")[2]
