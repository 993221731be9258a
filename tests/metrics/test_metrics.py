"""Metrics of one's own: what may be declared, what a configuration may name, and every mistake in one line."""

import pytest
import tiny

from jsdpipe import metrics
from jsdpipe.base.errors import UserError
from jsdpipe.base.registry import load_plugin
from jsdpipe.config.run_config import read_config, resolve
from jsdpipe.metrics import METRICS, Group, Metric
from jsdpipe.metrics.base import COLUMNS
from jsdpipe.report.collect import DETAILS, KEY, STATE

PLUGIN = """
from jsdpipe.metrics import Group, Metric, register

@register(Metric({name!r}, "Label", "higher", ".2f", Group({group!r}, "Title", {about!r}), "what", {more}))
def compute(asset):
    return 1.0
"""


def plugin(folder, name, group="own", about="About:", more=""):
    path = folder / f"{name}_{group}.py"
    path.write_text(PLUGIN.format(name=name, group=group, about=about, more=more))
    return path


def config(folder, *names, **sections):
    whole = {key: value for key, value in tiny.config(folder).items() if key not in ("alignment", "diversity", "study")}
    return whole | {"metrics": [*names]} | sections


def test_a_metric_of_a_plugin_stands_behind_the_built_in_ones(tmp_path):
    file = plugin(tmp_path, "behind", "behind-group", more="per='prompt', needs=('mesh', 'views:diversity')")
    run = resolve(config(tmp_path, "behind", plugins=[str(file)])).config
    assert [metric.name for metric in metrics.of_run(run)] == ["quality", "behind"]
    assert {group.name: [of.name for of in found] for group, found in metrics.by_group(run).items()} == {
        "scores": ["quality"],
        "behind-group": ["behind"],
    }
    assert {name: [of.name for of in found] for name, found in metrics.compared(run).items()} == {
        "paired": ["quality"],
        "paired-behind-group": ["behind"],
    }
    assert run.rigs == ("quality", "diversity")
    assert run.stages == ("generate", "mesh", "render", "quality", "metrics")
    assert metrics.source("behind") == file


def test_built_in_metrics_are_those_of_the_run_s_stages(tmp_path):
    run = read_config(tiny.config(tmp_path), "c")
    assert [metric.name for metric in metrics.of_run(run)] == [
        "quality", "alignment", "average", "similarity", "r_precision", "iq", "iv", "iv_per_view", "cosine",
        "recognition",
    ]  # fmt: skip
    assert list(metrics.compared(run)) == ["paired", "paired-diversity"]
    assert run.rigs == ("quality", "alignment", "diversity")


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("quality", "", "jsdpipe.metrics.built_in has one of that name"),
        ("Area", "", "lower-case letters"),
        ("caption", "", "reserved column"),
        ("an_area", "needs=('meshes',)", "needs is a list of some of"),
        ("an_area", "needs='mesh'", "needs is a list of some of"),
        ("an_area", "per='seed'", "per is 'asset' or 'prompt'"),
        ("an_area", "per='prompt', failed=0.0", "remove failed"),
        ("an_area", "failed='none'", "failed is a number"),
    ],
)
def test_a_wrong_declaration_is_one_line_with_file_and_line(tmp_path, name, more, said):
    with pytest.raises(UserError, match=rf"{name}_own\.py: line 4: .*{said}") as error:
        load_plugin(plugin(tmp_path, name, more=more))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("group", ["assets", "paired-area", "Shape", "a b"])
def test_a_group_s_name_is_free_and_names_a_file(group):
    with pytest.raises(ValueError, match=f"^{group}: "):
        Group(group, "Title", "About:")


@pytest.mark.parametrize("wrong", [{"direction": "up"}, {"format": "x.y"}])
def test_a_metric_s_direction_and_format(wrong):
    with pytest.raises(ValueError, match="an_area"):
        Metric(
            name="an_area", label="A", group=GROUP, meaning="what", **{"direction": "lower", "format": ".1f"} | wrong
        )


GROUP = Group("of-tests", "Title", "About:")


def test_two_files_may_not_give_one_name(tmp_path):
    load_plugin(plugin(tmp_path, "twice", "of-twice"))
    with pytest.raises(UserError, match=r"twice_other\.py: line 4: .*'twice'.*twice_of-twice\.py has one of that name"):
        load_plugin(plugin(tmp_path, "twice", "other"))
    with pytest.raises(UserError, match=r"group 'of-twice': .*twice_of-twice\.py has another one"):
        load_plugin(plugin(tmp_path, "thrice", "of-twice", about="Another:"))
    load_plugin(plugin(tmp_path, "shared", "of-twice"))  # the same group
    assert METRICS["shared"].group == METRICS["twice"].group


def test_an_edited_plugin_takes_the_place_of_what_it_was(tmp_path):
    load_plugin(plugin(tmp_path, "edited", "of-edited"))
    load_plugin(plugin(tmp_path, "edited", "of-edited", about="Better:"))
    assert METRICS["edited"].group.about == "Better:"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["qualty"], "did you mean 'quality'"),
        (["quality"], "computed by the stage quality"),
        (["asks", "asks"], "'asks' occurs twice"),
        (["asks"], "needs captions"),
    ],
)
def test_a_wrong_name_in_a_configuration_is_one_line(tmp_path, names, said):
    file = plugin(tmp_path, "asks", "of-asks", more="needs=('captions',)")
    with pytest.raises(UserError, match=f"^c: metrics: .*{said}"):
        resolve(config(tmp_path, *names, plugins=[str(file)]), "c")


def test_no_metric_can_take_the_column_of_what_is_none():
    assert {*KEY, *STATE, *DETAILS} <= COLUMNS
