"""The alignment stage by the paper-scale adapters: tiny random captioners and chat model, and a real endpoint."""

from dataclasses import replace
from weakref import ref

import chat_server
import pytest
import scored_run
import tiny_language
from chat_server import Reply

from jsdpipe.base.device import available_device
from jsdpipe.base.files import read_json
from jsdpipe.base.seeding import seed_of
from jsdpipe.config.run_config import Alignment
from jsdpipe.mesh.stage import extract
from jsdpipe.models import questions
from jsdpipe.models.captioners.blip2 import Blip2Captioner
from jsdpipe.models.roles import CAPTIONERS
from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.render.stage import render
from jsdpipe.render.view_archive import read_views
from jsdpipe.scoring import alignment


@pytest.fixture(scope="module")
def balls(tmp_path_factory):
    run, shard = scored_run.make(tmp_path_factory.mktemp("run") / "balls")
    extract(run, shard)
    render(run, shard)
    return run, shard


@pytest.fixture(scope="module")
def captioner(tmp_path_factory):
    return {"kind": "blip2", "model": str(tiny_language.blip2(tmp_path_factory.mktemp("blip2") / "tiny"))}


def scored(balls, captioner, judge, **others):
    """The records and details by asset of the shard, scored by these models."""
    run, shard = balls
    chosen = Alignment.model_validate({"captioner": captioner, "judge": judge, **others})
    run = replace(run, config=run.config.model_copy(update={"alignment": chosen}))
    alignment.score(run, shard)
    records = read_manifest(run, "alignment", shard)
    folders = [run.layout.asset(shard.key(record["prompt_id"], record["seed"])) for record in records]
    return run, records, [read_json(folder / "alignment.json")["views"] for folder in folders]


def test_an_endpoint_grades_and_what_it_cannot_grade_does_not_stop_the_shard(balls, captioner, tmp_path):
    def answer(body):
        asked = body["messages"][1]["content"]
        if '"captions"' in asked:
            return Reply('{"caption": "a ball of some kind"}')
        return Reply("between 2 and 3" if "a blue ball" in asked else '{"grade": 4}')

    with chat_server.serving() as server:
        server.otherwise = answer
        judge = {"kind": "openai", "base_url": server.base_url, "model": "m", "cache": str(tmp_path / "answers")}
        run, records, details = scored(balls, captioner, judge)
        made = len(server.requests)
        (run.layout.manifest("alignment", balls[1])).unlink()
        again = scored(balls, captioner, judge)
        # what was not understood is asked for again, of two assets, three times each; nothing else is
        assert (again[1:], len(server.requests)) == ((records, details), made + 6)
        server.otherwise = lambda body: Reply("2")  # mended
        _, mended, _ = scored(balls, captioner, judge)
        assert [record["grade"] for record in mended] == [4, 4, 1, 2, 1, 2]
        assert len(server.requests) == made + 7  # of equal captions and prompts one answer
        made = len(server.requests)
        for path in run.folder.rglob("alignment.json"):
            path.unlink()
        assert scored(balls, captioner, judge)[1] == mended
        assert len(server.requests) == made
    failed = [record["reason"] for record in records]
    assert [record["alignment"] for record in records] == [75, 75, 0, None, 0, None]
    assert [record["grade"] for record in records] == [4, 4, 1, None, 1, None]
    assert [record["status"] for record in records] == ["ok", "ok", "failed", "failed", "failed", "failed"]
    assert "not finite" in failed[2] and "density" in failed[4]
    manifest = run.layout.manifest("alignment", balls[1])
    assert '"between 2 and 3"' in failed[3] and f"--forcerun {manifest}" in failed[3]
    assert failed[3] == failed[5]
    assert details[3]["answers"] == ['{"caption": "a ball of some kind"}', *["between 2 and 3"] * 3]
    assert details[0]["answers"] == ['{"caption": "a ball of some kind"}', '{"grade": 4}']
    assert [record["caption"] for record in records[:4:3]] == ["a ball of some kind"] * 2
    views = read_views(run.layout.views(balls[1], records[0]["prompt_id"], 0), "alignment")
    draws = seed_of(run.config.seed, records[0]["prompt_id"], 0, "captions")
    captions = CAPTIONERS.load(run.config.alignment.captioner, available_device()).caption(views, draws)
    assert details[0]["captions"] == captions
    assert server.requests[0]["body"]["messages"] == questions.merging(captions).messages()
    assert read_json(run.layout.judge_calls) == {"calls": made}
    origin = read_json(run.layout.manifest("alignment", balls[1]))["provenance"]["models"]
    assert origin["judge"] == f'm at {server.base_url} {{"temperature": 0}}, prompts {questions.PROMPT_VERSION}'


def test_captions_outlive_another_judge_and_other_texts(balls, captioner, tmp_path, monkeypatch):
    one, other = ({"kind": "transformers", "model": str(tiny_language.chat(tmp_path / name))} for name in "ab")
    before = [details["captions"] for details in scored(balls, captioner, one)[2]]
    assert before[0] and not before[2]
    monkeypatch.setattr(Blip2Captioner, "_parts", property(lambda _: pytest.fail("the captioner was read again")))
    _, _, details = scored(balls, captioner, other, similarity={"kind": "miniature-clip"})
    assert [asset["captions"] for asset in details] == before
    assert "cosines" in details[0]


def test_the_captioner_is_out_of_memory_when_the_judge_is_loaded(balls, captioner, monkeypatch):
    class Loaded(Exception):
        pass

    def load(*_):
        raise Loaded(networks[0]())

    def caption(self, images, seed):
        networks.append(ref(self._parts[0]))
        return made(self, images, seed)

    networks, made = [], Blip2Captioner.caption
    for path in balls[0].folder.rglob("captions.json"):
        path.unlink()
    monkeypatch.setattr(Blip2Captioner, "caption", caption)
    monkeypatch.setattr(alignment.JUDGES, "load", load)
    with pytest.raises(Loaded) as loaded:
        scored(balls, captioner, {"kind": "attributes"})
    assert loaded.value.args == (None,)


def test_a_local_model_grades_every_asset(balls, captioner, tmp_path):
    judge = {"kind": "transformers", "model": str(tiny_language.chat(tmp_path / "tiny"))}
    _, records, details = scored(balls, captioner, judge)
    assert [record["status"] for record in records] == ["ok", "ok", "failed", "ok", "failed", "ok"]
    for record, detail in zip(records, details, strict=True):
        if record["status"] == "ok":
            assert record["grade"] in range(1, 6)
            assert f'{{"grade": {record["grade"]}, ' in detail["answers"][-1]
            assert record["caption"] == questions.read_caption(detail["answers"][-2])
