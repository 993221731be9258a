"""The judge behind an endpoint, against a real server on this machine: what is sent, kept, counted, tried again."""

import json
import subprocess
import sys
from types import SimpleNamespace

import chat_server
import pytest
from chat_server import KEY, Reply
from waiting import LONG_S, wait_until

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import read_json
from jsdpipe.models import questions
from jsdpipe.models.judges import openai as endpoint
from jsdpipe.models.judges.openai import EndpointJudge
from jsdpipe.models.language_judge import Unanswered
from jsdpipe.models.roles import JUDGES


@pytest.fixture
def server():
    with chat_server.serving() as running:
        yield running


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """The seconds between calls, which are not waited for."""
    waited = []
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=waited.append))
    return waited


@pytest.fixture
def judge(server, tmp_path, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", KEY)

    def make(**changed):
        return JUDGES.load(settings(server.base_url, tmp_path, **changed), "cpu", tmp_path / "run/judge-calls.json")

    return make


def settings(address, folder, **changed):
    values = {
        "kind": "openai", "base_url": address, "model": "a-model", "key_env": "JUDGE_KEY", "retries": 2,
        "cache": str(folder / "answers"),
    }  # fmt: skip
    return EndpointJudge.Settings.model_validate(values | changed)


def calls(folder):
    return read_json(folder / "run/judge-calls.json")["calls"]


def files(folder):
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def test_what_is_sent_and_what_is_read(server, judge):
    server.replies = [Reply('{"caption": "a red mug"}\n'), Reply('{"grade": 4}')]
    asked = judge()
    assert asked.merge(["a mug", "a red cup"]) == "a red mug"
    assert asked.grade("a striped red mug", "a red mug") == 4
    assert asked.transcript() == ['{"caption": "a red mug"}\n', '{"grade": 4}']
    assert asked.transcript() == []
    merging, grading = server.requests
    assert (merging["path"], merging["headers"]["Authorization"]) == ("/v1/chat/completions", f"Bearer {KEY}")
    sent = questions.merging(["a mug", "a red cup"]).messages()
    assert merging["body"] == {"model": "a-model", "temperature": 0, "messages": sent}
    assert grading["body"]["messages"] == questions.grading("a striped red mug", "a red mug").messages()
    assert asked.identity == f'a-model at {server.base_url} {{"temperature": 0}}, prompts {questions.PROMPT_VERSION}'


def test_what_is_sent_can_be_set_and_left_out(server, judge):
    fields = {"temperature": None, "max_completion_tokens": 300, "response_format": {"type": "json_object"}}
    asked = judge(fields=fields, system_role=False)
    asked.grade("a", "b")
    system, user = (message["content"] for message in questions.grading("a", "b").messages())
    assert server.requests[0]["body"] == {
        "model": "a-model", "max_completion_tokens": 300, "response_format": {"type": "json_object"},
        "messages": [{"role": "user", "content": f"{system}\n\n{user}"}],
    }  # fmt: skip
    # scores by other requests are other scores
    assert len({judge(**changed).identity for changed in ({}, {"fields": fields}, {"system_role": False})}) == 3
    with pytest.raises(ValueError, match=r"messages.*model"):
        judge(fields={"model": "another", "messages": []})


@pytest.mark.parametrize("says", [
    [{"type": "thinking", "thinking": "5"}, {"type": "text", "text": '{"grade"'}, {"type": "text", "text": ": 2}"}],
    '<think>All of it, so {"grade": 5}.</think>\n{"grade": 2}',
    'All of it, so {"grade": 5}.</think>{"grade": 2}',
])  # fmt: skip
def test_thoughts_are_read_past(server, judge, says):
    server.replies = [Reply(says)]
    assert judge().grade("a", "b") == 2
    assert len(server.requests) == 1


@pytest.mark.parametrize("cut", [
    Reply('{"caption": "a red mug"}', finish="length"),
    Reply("<think> Okay, let me look at the captions", finish="length"),
    Reply("<think> Okay, let me look at the captions"),
    Reply("Sure! Here is the combined caption: **a red mug**"),
])  # fmt: skip
def test_a_caption_that_is_cut_or_of_another_form_is_refused(server, judge, cut):
    server.replies = [cut, Reply('```JSON\n{"caption": "a blue mug"}\n```')]
    assert judge().merge(["a", "b"]) == "a blue mug"
    server.otherwise = lambda body: cut
    with pytest.raises(Unanswered, match="cut" if cut.finish == "length" else cut.says[:6]):
        judge().merge(["c", "d"])


def test_without_a_key_none_is_sent_not_even_of_netrc(server, judge, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    judge(key_env=None).grade("a", "b")
    assert "Authorization" not in server.requests[0]["headers"]


def test_a_rerun_costs_nothing_and_gives_the_same(server, judge, tmp_path):
    server.replies = [Reply("5")]
    assert judge().grade("a", "b") == 5
    assert judge(max_calls=0).grade("a", "b") == 5
    assert (len(server.requests), calls(tmp_path)) == (1, 1)
    for other in ({"model": "another"}, {"base_url": server.base_url + "/other"}):
        assert judge(**other).grade("a", "b") == 3
    assert judge().grade("a", "c") == 3
    assert calls(tmp_path) == 4


def test_the_key_is_in_no_file_and_no_message(server, judge, tmp_path, monkeypatch):
    error = json.dumps({"error": {"message": f"Incorrect API key {KEY},\nsee the site"}})
    server.replies = [Reply("5"), Reply(status=401, body=error)]
    asked = judge()
    asked.grade("a", "b")
    with pytest.raises(UserError) as refused:
        asked.grade("a", "c")
    for said in (server.base_url, "401", "Incorrect API key ***", "alignment.judge"):
        assert said in str(refused.value)
    assert KEY not in str(refused.value)
    assert len(server.requests) == 2
    assert not any(KEY.encode() in content for content in files(tmp_path))
    assert KEY not in asked.identity
    for line_end in ("\n", "\r", "\r\n"):
        monkeypatch.setenv("JUDGE_KEY", KEY + line_end)  # as files of variables end their lines
        judge().grade("a", f"d{line_end}")
        assert server.requests[-1]["headers"]["Authorization"] == f"Bearer {KEY}"
    for wrong in (f"{KEY}\r\nHost: b", f"{KEY}\u00e9", f"\u201c{KEY}\u201d"):
        monkeypatch.setenv("JUDGE_KEY", wrong)
        with pytest.raises(UserError, match="JUDGE_KEY") as refused:
            judge()
        assert KEY not in str(refused.value)
    monkeypatch.delenv("JUDGE_KEY")
    with pytest.raises(UserError, match="JUDGE_KEY"):
        judge()


@pytest.mark.parametrize(
    "busy",
    [
        Reply(status=429, body="{}"),
        Reply(status=500, body="<html>"),
        Reply(status=503, body=""),
        Reply(body="<html>a proxy</html>"),
        Reply(body='{"choices": []}'),
        Reply(body="[1]"),
        Reply("cut", headers={"Content-Length": "9999"}),
    ],
)
def test_trouble_is_tried_again(server, judge, tmp_path, busy):
    server.replies = [busy, Reply("2")]
    assert judge().grade("a", "b") == 2
    assert (len(server.requests), calls(tmp_path)) == (2, 2)


def test_what_takes_too_long_is_tried_again(server, judge, monkeypatch):
    """The first call is cut short; the second has all of its time."""
    limits, post = [], endpoint.requests.Session.post

    def impatient(self, *arguments, timeout, **more):
        limits.append(timeout)
        if len(limits) == 1:
            return post(self, *arguments, timeout=(timeout, 0.01), **more)  # to connect, to read
        wait_until(lambda: server.requests)
        return post(self, *arguments, timeout=timeout, **more)

    monkeypatch.setattr(endpoint.requests.Session, "post", impatient)
    server.replies = [Reply(never=True), Reply("2")]
    assert judge(timeout_s=LONG_S).grade("a", "b") == 2
    assert limits == [LONG_S] * 2


def test_an_answer_that_drips_has_its_time_as_a_whole(server, judge, monkeypatch):
    """Of the first call little is left when its bytes begin to come; the second has all of its time."""
    limits, within = [], endpoint._within

    def impatient(seconds, call):
        limits.append(seconds)
        return within(0.2 if len(limits) == 1 else seconds, call)

    monkeypatch.setattr(endpoint, "_within", impatient)
    server.otherwise = lambda body: Reply("2")
    server.replies = [Reply(drips=True, headers={"Content-Length": "9999999"})]
    assert judge(timeout_s=LONG_S).grade("a", "b") == 2
    assert limits == [LONG_S] * 2


def test_the_server_says_how_long_to_wait(server, judge, pauses):
    busy = Reply(status=503, body="")
    server.replies = [Reply(status=429, body="", headers={"Retry-After": "7"}), busy, busy, Reply("2")]
    assert judge(retries=3).grade("a", "b") == 2
    assert pauses == [7.0, 2.0, 4.0]


@pytest.mark.parametrize(("header", "pause"), [("soon", 2.0), ("7", 7.0), ("999999", endpoint.LONGEST_PAUSE_S)])
def test_pauses(header, pause):
    response = endpoint.requests.Response()
    response.headers["Retry-After"] = header
    state = endpoint.RetryCallState(None, None, (), {})
    state.attempt_number = 2
    state.set_exception((endpoint._Busy, endpoint._Busy("x", endpoint._asked_pause(response)), None))
    assert endpoint._pause(state) == pause


def test_a_judge_that_does_not_answer_is_named(server, judge, tmp_path):
    server.otherwise = lambda body: Reply(status=503, body='{"error": {"message": "over\\nloaded"}}')
    with pytest.raises(UserError, match=rf"^{server.base_url}: .* 3 times .*503: over loaded"):
        judge().grade("a", "b")
    assert calls(tmp_path) == 3
    with pytest.raises(UserError, match=r"^http://127\.0\.0\.1:9/v1: .* 3 times .*refused"):
        judge(base_url="http://127.0.0.1:9/v1").grade("a", "b")


@pytest.mark.parametrize("status", [302, 400, 403, 404, 422])
def test_a_refusal_is_not_tried_again(server, judge, status):
    server.otherwise = lambda body: Reply(status=status, body="no such model", headers={"Location": "/elsewhere"})
    with pytest.raises(UserError, match=f"{status}.*no such model") as refused:
        judge().grade("a", "b")
    assert len(server.requests) == 1
    # of a malformed request the settings that form it are named
    assert ("`fields`" in str(refused.value) and "`system_role: false`" in str(refused.value)) == (status in (400, 422))


def test_an_answer_of_another_form_is_asked_for_again(server, judge):
    server.replies = [Reply("about 4"), Reply(None), Reply("4")]
    asked = judge()
    assert asked.grade("a", "b") == 4
    assert asked.transcript() == ["about 4", "", "4"]  # the first two are not kept, the third is
    sent = [request["body"]["messages"] for request in server.requests]
    assert sent == [questions.grading("a", "b").messages(attempt) for attempt in range(3)]
    server.replies = [Reply("5")]
    assert judge().grade("a", "b") == 5
    assert judge(max_calls=0).grade("a", "b") == 5


def test_then_it_is_no_grade_and_a_rerun_asks_again(server, judge, tmp_path):
    server.otherwise = lambda body: Reply("I'd say\n4.5")
    asked = judge()
    with pytest.raises(Unanswered, match=r"I'd say\\n4\.5"):
        asked.grade("a", "b")
    assert asked.transcript() == ["I'd say\n4.5"] * 3
    server.otherwise = lambda body: Reply("4")
    assert judge().grade("a", "b") == 4
    assert calls(tmp_path) == 4


def test_an_answer_of_another_form_that_was_kept_is_asked_for_again(server, judge, tmp_path):
    assert judge().grade("a", "b") == 3
    (kept,) = (tmp_path / "answers").rglob("*.json")
    kept.write_text(json.dumps(read_json(kept) | {"answer": "three"}))
    assert judge().grade("a", "b") == 3
    assert (len(server.requests), read_json(kept)["answer"]) == (2, "3")


def test_the_cap_is_named_and_loses_nothing(server, judge, tmp_path):
    asked = judge(max_calls=2)
    assert [asked.grade("a", caption) for caption in "xy"] == [3, 3]
    with pytest.raises(UserError, match=r"alignment\.judge\.max_calls is 2"):
        asked.grade("a", "z")
    assert len(server.requests) == 2
    assert [judge(max_calls=3).grade("a", caption) for caption in "xyz"] == [3, 3, 3]
    assert (len(server.requests), calls(tmp_path)) == (3, 3)


def test_processes_share_answers_and_the_cap(server, judge, tmp_path):
    """Four processes ask the same ten questions, and have eight calls."""
    code = (
        "import sys; from pathlib import Path; from jsdpipe.base.errors import UserError\n"
        "from jsdpipe.models.judges.openai import EndpointJudge\n"
        "judge = EndpointJudge(EndpointJudge.Settings.model_validate_json(sys.argv[1]), calls=Path(sys.argv[2]))\n"
        "grades = []\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "try:\n"
        "    for n in range(10): grades.append(judge.grade('a', str(n)))\n"
        "except UserError as error: print(len(grades), error)\n"
        "assert 'torch' not in sys.modules\n"
    )
    server.otherwise = lambda body: Reply("4")
    chosen = settings(server.base_url, tmp_path, max_calls=8).model_dump_json()
    command = [sys.executable, "-c", code, chosen, str(tmp_path / "run/judge-calls.json")]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    running = [subprocess.Popen(command, text=True, **pipes) for _ in range(4)]
    assert [process.stdout.readline() for process in running] == ["ready\n"] * 4
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        out, err = process.communicate()
        assert (process.returncode, err) == (0, "")
        assert out.startswith("8 ")
    assert (len(server.requests), calls(tmp_path)) == (8, 8)
    assert len({json.dumps(request["body"]) for request in server.requests}) == 8
    server.otherwise = lambda body: Reply("1")
    assert [judge(max_calls=10).grade("a", str(n)) for n in range(10)] == [4] * 8 + [1] * 2
