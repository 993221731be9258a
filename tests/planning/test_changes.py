"""What is said of a folder's assets before a changed configuration replaces them."""

import copy
import re

import pytest
import tiny

from jsdpipe.config.run_config import resolve
from jsdpipe.config.stages import SHARD_STAGES
from jsdpipe.pipeline.manifests import asset_record, write_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.planning.changes import changes

PROMPTS = "a red ball\na green ball\na blue ball\n"


def resolved(folder, config):
    return Run.of(resolve(config), folder / "run")


@pytest.fixture
def held(tmp_path):
    """The configuration of a run of two methods, three prompts and two seeds, all made but one shard of `sds`."""
    config = tiny.config(tmp_path, PROMPTS)
    run = resolved(tmp_path, config)
    run.save()
    for shard in run.shards()[:-1]:
        for stage in (stage.name for stage in SHARD_STAGES):
            records = [asset_record(*asset) for asset in shard.assets()]
            if stage == "diversity":
                records = [{"prompt_id": prompt.id} for prompt in shard.prompts]
            write_manifest(run, stage, shard, records, {})
    return config


def override(config, method):
    return config["methods"][method]["override"]


def said(folder, config, change):
    """The lines, which all begin with what the folder holds."""
    config = copy.deepcopy(config)
    change(config)
    lines = changes(resolved(folder, config))
    assert all(re.match(f"{folder / 'run'} .*10 assets", line) for line in lines)
    return lines


def test_nothing_is_said_where_nothing_is_lost(tmp_path, held):
    for change in (
        lambda c: None,
        lambda c: c["report"].update(title="new"),
        lambda c: c["generation"].update(shard_assets=6),
        lambda c: c["methods"]["jsd"].update(label="J"),
        lambda c: c["seeds"].append(2),
    ):
        assert said(tmp_path, held, change) == []
    assert changes(Run.of(resolve(held), tmp_path / "other")) == []


@pytest.mark.parametrize(
    ("change", "keys", "count", "what"),
    [
        (lambda c: c.update(seed=3), "seed (0 -> 3)", "all 10", "made"),
        (lambda c: c["mesh"].update(threshold=3.0), 'mesh.threshold ("auto" -> 3.0)', "all 10", "meshes"),
        (lambda c: c["render"].update(size=24), "render.size (32 -> 24)", "all 10", "rendered"),
        (lambda c: override(c, "sds").update(steps=3), "methods.sds.steps (2 -> 3)", "4 of 10", "made"),
        (lambda c: override(c, "jsd").update(steps=1), "methods.jsd.steps (2 -> 1)", "6 of 10", "made"),
    ],
)  # fmt: skip
def test_a_change_is_named_with_what_it_replaces(tmp_path, held, change, keys, count, what):
    (line,) = said(tmp_path, held, change)
    assert re.search(rf" {re.escape(keys)} .*{count} .*{what}", line)


def test_scores_are_changed_by_themselves(tmp_path, held):
    classifier = {"kind": "inception-v3"}
    (line,) = said(tmp_path, held, lambda c: c["diversity"].update(classifier=classifier))
    assert "diversity.classifier.kind" in line and "scores" in line


def test_many_keys_are_counted(tmp_path, held):
    def change(config):
        for method in config["methods"]:
            of = {"steps": 1, "cameras": {"samples_per_ray": 4}, "field": {"resolution": 9, "bound": 1.5}}
            override(config, method).update(of)

    lines = said(tmp_path, held, change)
    assert len(lines) == 2
    assert all("1 more" in line for line in lines)


def test_what_is_no_longer_planned_stays(tmp_path, held):
    lines = said(tmp_path, held, lambda c: (c["methods"].pop("sds"), c.update(seed=1)))
    assert [re.findall(r"\d+ of 10", line) for line in lines] == [["6 of 10"], ["4 of 10"]]
    assert ["seed (0 -> 1)" in line for line in lines] == [True, False]


def test_a_run_of_another_version(tmp_path, held):
    (tmp_path / "run/run.json").write_text("{}")
    (line,) = changes(resolved(tmp_path, held))
    assert line.startswith(f"{tmp_path / 'run'} ") and "version" in line


def test_the_commands_say_it(tmp_path, monkeypatch, jsdpipe):
    monkeypatch.chdir(tmp_path)
    config = tiny.config(tmp_path, "a red ball\n")
    path, folder = tiny.write(tmp_path / "c.yaml", config), "results/tiny"
    assert jsdpipe("configure", path, "--run", folder)[2] == ""
    run = Run.load(tmp_path / folder)
    for shard in run.shards():
        write_manifest(run, "generate", shard, [asset_record(*asset) for asset in shard.assets()], {})
    tiny.write(path, config | {"seed": 7})
    line = rf"{folder} .*4 assets.*seed \(0 -> 7\) .*all 4 "
    status, out, _ = jsdpipe("check", path)
    assert status == 0
    assert re.match(line, out.splitlines()[1])
    status, _, err = jsdpipe("configure", path, "--run", folder)
    assert re.match(line, err)
    assert jsdpipe("configure", path, "--run", folder)[2] == ""
