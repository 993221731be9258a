"""The page on recipes, whose tables the documentation's build makes from the recipes."""

import importlib.util
from pathlib import Path

import pytest

from jsdpipe.config.recipes import names

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "methods.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def hook():
    spec = importlib.util.spec_from_file_location("recipe_tables", DOCS / "theme/recipes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(table):
    return {line.split("|")[1].strip(" `"): line for line in table.splitlines()[2:]}


def test_the_page_has_all_tables(hook):
    built = hook.on_page_markdown(PAGE)
    assert "<!-- recipes" not in built
    for topic in hook.TOPICS:
        assert hook.table(topic) in built


def test_both_families_stand_side_by_side(hook):
    both = [name for name in names() if name.startswith(("controlled/", "published/"))]
    assert set(rows(hook.table("objective"))) == set(both)
    published = {name for name in both if name.startswith("published/")}
    for topic in ("scene", "cameras", "optimization"):
        assert set(rows(hook.table(topic))) == published | {"controlled"}


@pytest.mark.parametrize(
    ("topic", "name", "facts"),
    [
        ("objective", "published/vsd", ["7.5", "[0.02; 0.98, 0.5 from step 5,001]", "25,000"]),
        ("objective", "published/csd", ["threestudio, x 3", "`negative_share` 0 → 1 by step 5,000"]),
        ("scene", "published/sdi", ["8 at first, one more every 500 steps from 2,000"]),
        ("scene", "published/sjc", ["100 x 100 x 100", "4 x 4 latents"]),
        ("cameras", "published/vsd", ["64, 512 from step 5,000", "30, 150"]),
        ("optimization", "published/asd-asynchronous", ["adamw (0, 0.99), eps 1e-15, decay 0.01", "0.01 and 0.001"]),
        ("optimization", "published/sds", ["sum", "orientation 10 → 1,000 by step 5,000"]),
    ],
)
def test_rows_say_what_the_recipes_say(hook, topic, name, facts):
    row = rows(hook.table(topic))[name]
    assert [fact for fact in facts if fact not in row] == []
