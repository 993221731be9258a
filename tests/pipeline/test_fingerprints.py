"""What a run's results depend on: by stage and method, and what was accepted for it."""

import pytest
import tiny

from jsdpipe.base.files import read_json, write_json
from jsdpipe.config.run_config import resolve
from jsdpipe.config.stages import STAGES, WITHIN
from jsdpipe.pipeline.code_closure import Code, closure
from jsdpipe.pipeline.fingerprints import code, code_in, fingerprint, made_by
from jsdpipe.pipeline.run import Run


@pytest.fixture
def run(tmp_path):
    config = tiny.config(tmp_path)
    config["methods"]["theirs"] = {"kind": "external", "command": "cp {seed}.glb {out}"}
    return Run.of(resolve(config), tmp_path / "run")


def test_a_fingerprint_is_of_code_and_parts():
    assert fingerprint("a", 1, "b") == fingerprint("a", 1, "b")
    assert len({fingerprint("a", 1), fingerprint("a", 2), fingerprint("b", 1), fingerprint("a", 1, None)}) == 4


def test_another_version_of_a_library_is_other_code():
    one, same, other = (Code({"m": "0"}, {"torch": version}) for version in ("1", "1", "2"))
    assert one.hash == same.hash != other.hash


def test_every_stage_has_code(run):
    for stage in STAGES.values():
        assert stage.function.split(":")[0] in code_in(run, stage.name, "jsd").modules


def test_a_method_s_objective_and_a_score_s_models_count(run):
    modules = {method: {*code_in(run, "generate", method).modules} for method in run.config.methods}
    assert modules["jsd"] - modules["sds"] == {"jsdpipe.objectives.jsd", "jsdpipe.objectives.sdi"}
    assert modules["theirs"] == {"jsdpipe.base.mesh_references", "jsdpipe.generation.external"}
    assert "jsdpipe.models.rewards.miniature_clip" in code_in(run, "quality").modules
    assert "jsdpipe.models.judges.attributes" in code_in(run, "alignment").modules
    assert "jsdpipe.models.captioners.miniature" in code_in(run, "captions").modules
    assert "jsdpipe.models.judges.attributes" not in code_in(run, "captions").modules


def test_accepted_code_stands_for_the_results_that_it_was_accepted_for(run):
    one, other = run.shard("jsd/single/000"), run.shard("sds/single/000")
    today = code_in(run, "mesh", "jsd").hash
    write_json(run.layout.accepted, [{"stage": "mesh", "code": today, "stands_for": "before", "shards": [one.name]}])
    accepted = Run(run.folder, run.config, run.recipes, run.prompts)
    assert code(accepted, "mesh", one) == "before"
    assert code(accepted, "mesh", other) == today
    assert code(accepted, "render", one) == code_in(run, "render").hash
    assert made_by(accepted, "mesh", one) == {"code": {"mesh": "before"}, "accepted": {"mesh": today}}


def test_a_result_says_what_code_made_it(run):
    shard = run.shard("jsd/single/000")
    found = made_by(run, "alignment", shard)
    assert found == {"code": {part: code_in(run, part, "jsd").hash for part in ("alignment", "captions")}}
    described = read_json(run.layout.code(found["code"]["captions"]))
    captions = closure(WITHIN["alignment"][0].function, *WITHIN["alignment"][0].uses(run, "jsd"))
    assert described == {"modules": captions.modules, "libraries": captions.libraries}
