import json

import pytest
import tiny

from jsdpipe.base.errors import UserError
from jsdpipe.config.run_config import resolve
from jsdpipe.pipeline.manifests import asset_record, read_manifest, write_manifest
from jsdpipe.pipeline.run import Run


@pytest.fixture
def run(tmp_path):
    config = tiny.config(tmp_path, 'a red mushroom\na "blue" $(cube) 🍄\na/b\n')
    config["methods"] = dict(reversed(config["methods"].items()))
    run = Run.of(resolve(config), tmp_path / "run")
    run.save()
    return run


def test_a_run_is_loaded_as_it_was_saved(run):
    loaded = Run.load(run.folder)
    assert loaded == run
    assert list(loaded.config.methods) == ["sds", "jsd"]
    assert loaded.prompts["single"][1].text == 'a "blue" $(cube) 🍄'
    assert loaded.recipes["jsd"].steps == 2


def test_a_run_needs_nothing_but_its_folder(run, tmp_path):
    (tmp_path / "prompts.txt").unlink()
    assert len(Run.load(run.folder).shards()) == 6


def test_an_unknown_shard_is_refused_with_what_there_is(run):
    assert run.shard("jsd/single/002").prompts[0].text == "a/b"
    with pytest.raises(UserError, match=r"'jsd/single/3'.*sds/single/000, .*jsd/single/002$"):
        run.shard("jsd/single/3")


def test_a_missing_or_foreign_run_is_refused(run, tmp_path):
    with pytest.raises(UserError, match="jsdpipe configure"):
        Run.load(tmp_path / "none")
    content = json.loads(run.layout.run_json.read_text())
    del content["config"]["seeds"]
    for broken in (json.dumps(content), "[]", "{}", "{"):
        run.layout.run_json.write_text(broken)
        with pytest.raises(UserError, match=f"^{run.layout.run_json}: "):
            Run.load(run.folder)


def test_a_recipe_of_another_version_is_refused_when_it_is_asked_for(run):
    content = json.loads(run.layout.run_json.read_text())
    content["recipes"]["jsd"]["objective"]["kind"] = "none"
    run.layout.run_json.write_text(json.dumps(content))
    loaded = Run.load(run.folder)
    assert "jsd" in loaded.recipes and loaded.recipes["sds"] == run.recipes["sds"]
    with pytest.raises(UserError, match="not a run of this version"):
        loaded.recipes["jsd"]


def test_a_run_whose_plugin_is_gone_is_refused(run, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.touch()
    Run.of(resolve(tiny.config(tmp_path) | {"plugins": [str(plugin)]}), run.folder).save()
    assert Run.load(run.folder).config.plugins == [str(plugin)]
    plugin.unlink()
    with pytest.raises(UserError, match=f"^{run.layout.run_json}: plugins: {plugin}: cannot be read"):
        Run.load(run.folder)


def test_a_manifest_holds_every_asset_of_its_shard(run):
    shard = run.shard("jsd/single/001")
    records = [asset_record(*asset, reason="empty field" if asset[1] else None, n=1.5) for asset in shard.assets()]
    write_manifest(run, "mesh", shard, records, {"device": "cpu"})
    assert read_manifest(run, "mesh", shard) == records
    assert [record["status"] for record in records] == ["ok", "failed"]
    with pytest.raises(ValueError, match="expected"):
        write_manifest(run, "mesh", shard, records[:1], {})
    with pytest.raises(UserError, match=r"jsdpipe stage render --run .* --shard jsd/single/001"):
        read_manifest(run, "render", shard)


def test_a_manifest_of_other_seeds_is_refused(run, tmp_path):
    shard = run.shard("jsd/single/000")
    write_manifest(run, "mesh", shard, [asset_record(*asset) for asset in shard.assets()], {})
    other = Run.of(resolve(tiny.config(tmp_path) | {"seeds": [0, 2]}), run.folder)
    with pytest.raises(UserError, match="prompts or seeds"):
        read_manifest(other, "mesh", other.shard("jsd/single/000"))


def test_a_manifest_of_diversity_holds_every_prompt(run):
    shard = run.shard("jsd/single/000")
    records = [{"prompt_id": prompt.id, "iq": 1.0} for prompt in shard.prompts]
    write_manifest(run, "diversity", shard, records, {})
    assert read_manifest(run, "diversity", shard) == records
