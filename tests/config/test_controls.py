"""Truth and controls in a configuration: what cannot be, in one line."""

import pytest
import tiny

from jsdpipe.base.errors import UserError
from jsdpipe.config.run_config import resolve
from jsdpipe.pipeline.run import Run

TRUTH = {"kind": "truth"}


def config(folder, methods, prompts="a red ball\na blue cube\n"):
    """A run without a prior."""
    of = tiny.config(folder, prompts)
    del of["prior"]
    return of | {"methods": methods}


@pytest.mark.parametrize("prompt", ["a red dog", "a red ball on a cone"])
def test_a_prompt_outside_the_grammar_is_named_with_the_grammar(tmp_path, prompt):
    with pytest.raises(UserError) as error:
        resolve(config(tmp_path, {"true": TRUTH}, f"a blue cube\n{prompt}\n"))
    said = str(error.value)
    assert said.startswith("configuration: methods.true: set single, line 2: ")
    assert "\n" not in said and prompt.split()[-1] in said and "THING on SURROUNDING" in said


def test_the_section_truth_needs_the_grammar_too_and_an_instance_for_each_seed(tmp_path):
    for prompts, section, beginning in (
        ("a blue cube\na red dog\n", {}, "configuration: truth: set single, line 2: "),
        ("a blue cube\n", {"instances": 1}, "configuration: truth: instances: 1 "),
    ):
        with pytest.raises(UserError) as error:
            resolve(tiny.config(tmp_path, prompts) | {"truth": section})
        assert str(error.value).startswith(beginning) and "\n" not in str(error.value)
    assert "truth" in resolve(tiny.config(tmp_path) | {"truth": {}}).config.stages
    assert "truth" not in resolve(tiny.config(tmp_path)).config.stages


WRONG = {"kind": "control", "of": "truth", "control": "wrong-prompt"}
THEIRS = {"kind": "external", "command": "make {prompt} {seed} {out}"}


def test_a_control_says_what_it_is_of(tmp_path):
    graded = {"tilted": 30, "decimated": 0.5}
    methods = {name: WRONG | {"control": name, "dose": dose} for name, dose in graded.items()}
    run = resolve(config(tmp_path, {"truth": TRUTH, "wrong": WRONG, **methods})).config
    origins = {name: run.methods[name].origin for name in ("wrong", *graded)}
    assert origins == {
        "wrong": "wrong-prompt of truth", "tilted": "tilted (30°) of truth", "decimated": "decimated (0.5) of truth",
    }  # fmt: skip
    assert ([*run.damages], run.bound("floor"), run.contestants) == ([*graded], "wrong", [])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"of": "thruth"}, ["of: ", '"thruth"', "'truth'"]),
        ({"of": "wrong"}, ["of: ", "wrong is a control"]),
        ({"control": "wrong-promt"}, ["control", '"wrong-promt"']),
        ({"dose": 1}, ["dose: ", "wrong-prompt"]),
        ({"control": "tilted"}, ["dose: missing", "degrees", "-180", "180"]),
        ({"control": "tilted", "dose": 181}, ["dose: ", "181", "degrees", "180"]),
        ({"control": "hue-turned", "dose": 0}, ["dose: ", "degrees", "not 0"]),
        ({"control": "blurred", "dose": -0.1}, ["dose: ", "-0.1", "share of the mesh's extent", "0.5"]),
        ({"control": "decimated", "dose": 1}, ["dose: ", "share of the faces", "0.999"]),
        ({"control": "saturated", "dose": "grey"}, ["dose", '"grey"']),
        ({"control": "left-out", "of": "theirs"}, ["of: ", "theirs", "truth"]),
    ],
)
def test_a_wrong_control(tmp_path, wrong, words):
    with pytest.raises(UserError) as error:
        resolve(config(tmp_path, {"truth": TRUTH, "wrong": WRONG | wrong, "theirs": THEIRS}))
    assert str(error.value).startswith("configuration: methods.wrong")
    assert [word for word in words if word not in str(error.value)] == []


def test_a_prompt_without_a_wrong_one_is_named(tmp_path):
    with pytest.raises(UserError, match=r"^configuration: methods\.wrong: set single, line 1: .*a red ball"):
        resolve(config(tmp_path, {"truth": TRUTH, "wrong": WRONG}, "a red ball\na ball\n"))


def test_a_limit_takes_the_first_prompts_and_the_truth_shows_those_beyond(tmp_path):
    limited = config(tmp_path, {"truth": TRUTH, "wrong": WRONG}, "a red ball\na dog\na blue cube\n")
    limited["sets"]["single"]["limit"] = 1
    found = resolve(limited)
    assert [prompt.text for prompt in found.prompts["single"]] == ["a red ball"]
    assert [prompt.text for prompt in found.beyond["single"]] == ["a dog", "a blue cube"]
    run = Run.of(found, tmp_path)
    shown = run.config.methods["wrong"].shown_prompt(run, "single", run.prompts["single"][0])
    assert shown == ("single", run.beyond["single"][1])


def test_of_other_methods_only_the_run_s_prompts_are_shown(tmp_path):
    theirs = {"kind": "external", "path": f"{tmp_path}/mesh{{seed}}.glb"}
    limited = config(tmp_path, {"theirs": theirs, "wrong": WRONG | {"of": "theirs"}})
    limited["sets"]["single"]["limit"] = 1
    (tmp_path / "mesh0.glb").write_text("")
    with pytest.raises(UserError, match=r"^configuration: methods\.wrong: set single, line 1: "):
        resolve(limited)
