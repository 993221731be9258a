"""`jsdpipe score MESH... --prompt TEXT`: the stages' scores of files, without a run."""

import json
from pathlib import Path

import pytest
import tiny
import torch
import trimesh

from jsdpipe.base.validation import read_yaml
from jsdpipe.scoring import quality

ROOT = Path(__file__).parents[2]
PROMPT = "a red ball"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A red ball twice, as GLB and as OBJ, a blue box, a broken file, and a configuration; in the working directory."""
    monkeypatch.chdir(tmp_path)
    ball, box = trimesh.creation.icosphere(subdivisions=3), trimesh.creation.box()
    for mesh, color in ((ball, (220, 20, 20)), (box, (20, 20, 220))):
        mesh.visual.vertex_colors = color
    ball.export("ball.glb")
    ball.export("ball.obj")
    box.export("box.ply")
    (tmp_path / "broken.glb").write_bytes(b"glTF, they said")
    tiny.write(tmp_path / "mine.yaml", tiny.config(tmp_path))
    return tmp_path


def test_several_meshes_are_seeds_of_the_prompt(jsdpipe, files):
    before = {path.name for path in files.iterdir()}
    meshes = ("ball.glb", "box.ply", "broken.glb", "ball.obj")
    status, out, err = jsdpipe("score", *meshes, "--prompt", PROMPT, "--config", "mine.yaml", "--out", "scores.json")
    assert status == 0
    assert "--config" not in err
    lines = out.splitlines()
    assert lines[0].split() == ["mesh", "quality", "↑", "alignment", "↑", "average", "↑", "caption"]
    assert [line.split()[0] for line in lines[1:5]] == list(meshes)
    assert "failed: broken.glb: " in lines[3]
    assert "ball.glb: " in lines[5] and "sRGB" in lines[5]  # a note on its vertex colors
    assert lines[6].startswith("diversity of 3: iq ")
    assert {path.name for path in files.iterdir()} == before | {"scores.json"}

    found = json.loads((files / "scores.json").read_text())
    ball, box, broken, again = found["assets"]
    assert ball["quality"] > box["quality"] >= broken["quality"]  # the reward has a least value
    assert ball["alignment"] >= box["alignment"] >= broken["alignment"] == 0
    assert ball["quality"] == pytest.approx(again["quality"], abs=0.5)  # the same ball, turned
    assert ball["faces"] == 1280 and found["diversity"]["failed_seeds"] == [2]
    assert found["prompt"] == PROMPT and found["provenance"].keys() == {"quality", "alignment", "diversity"}
    assert str(files) not in json.dumps(found["provenance"])


def test_what_the_configuration_leaves_out_is_not_scored(jsdpipe, files):
    config = tiny.config(files)
    for section in ("alignment", "diversity", "study"):
        del config[section]
    tiny.write(files / "mine.yaml", config)
    command = ("score", "box.ply", "ball.obj", "--prompt", PROMPT, "--config", "mine.yaml", "--out", "scores.json")
    status, out, _ = jsdpipe(*command)
    assert (status, len(out.splitlines())) == (0, 3)
    found = json.loads((files / "scores.json").read_text())
    assert found["provenance"].keys() == {"quality"} and found["diversity"] is None
    assert all("quality" in asset and "alignment" not in asset for asset in found["assets"])


def test_threads_are_those_of_the_configuration(jsdpipe, files, monkeypatch):
    used, score = [], quality.score
    monkeypatch.setattr(quality, "score", lambda *of: used.append(torch.get_num_threads()) or score(*of))
    config = tiny.config(files) | {"resources": {"quality": {"threads": 2}}}
    for section in ("alignment", "diversity"):
        del config[section]
    tiny.write(files / "mine.yaml", config)
    assert jsdpipe("score", "ball.glb", "--prompt", PROMPT, "--config", "mine.yaml")[0] == 0
    torch.set_num_threads(1)
    assert used == [2]


def test_notes_are_told_and_what_is_missing_may_fail(jsdpipe, files):
    """A ball whose material is missing, and one that is black."""
    body = (files / "ball.obj").read_text()
    (files / "ball.obj").write_text("mtllib gone.mtl\nusemtl red\n" + body)
    trimesh.creation.icosphere(subdivisions=1).export("black.ply")
    black = trimesh.load("black.ply")
    black.visual.vertex_colors = (0, 0, 0, 255)
    black.export("black.ply")
    command = ("score", "ball.obj", "black.ply", "--prompt", PROMPT, "--config", "mine.yaml", "--out", "scores.json")
    status, out, _ = jsdpipe(*command)
    assert status == 0
    ball, other = json.loads((files / "scores.json").read_text())["assets"]
    assert ["gone.mtl" in note for note in ball["notes"]] == ["black" in note for note in other["notes"]] == [True]
    for asset in (ball, other):
        assert sum(line.endswith(f"{asset['mesh']}: {asset['notes'][0]}") for line in out.splitlines()) == 1
    status, out, _ = jsdpipe(
        "score", "ball.glb", "--prompt", PROMPT, "--config", "mine.yaml", "--vertex-colors", "linear"
    )
    assert status == 0 and "linear" in out
    config = read_yaml(Path("mine.yaml"))
    config["mesh"]["missing_material"] = "fail"
    tiny.write(Path("strict.yaml"), config)
    status, out, _ = jsdpipe("score", "ball.obj", "--prompt", PROMPT, "--config", "strict.yaml")
    assert status == 1 and "failed: ball.obj: " in out and "gone.mtl" in out


def test_one_mesh_has_no_diversity_and_a_broken_one_is_status_1(jsdpipe, files):
    status, out, _ = jsdpipe("score", "box.ply", "--prompt", PROMPT, "--config", "mine.yaml")
    assert (status, len(out.splitlines())) == (0, 2)
    status, out, _ = jsdpipe("score", "broken.glb", "--prompt", PROMPT, "--config", "mine.yaml")
    assert (status, len(out.splitlines())) == (1, 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.glb", "--prompt", PROMPT], "MESH: none.glb: "),
        ([".", "--prompt", PROMPT], "MESH: .: "),
        (["ball.glb", "--prompt", " "], "--prompt: "),
        (["ball.glb", "--prompt", "a zebra"], "--prompt: "),
        (["ball.glb", "--prompt", PROMPT, "--config", "no.yaml"], "no.yaml: "),
        (["ball.glb", "--prompt", PROMPT, "--front", "-y"], "--front: "),
    ],
)
def test_a_mistake_is_named_with_its_option(refusal, files, arguments, said):
    assert refusal("score", *arguments).startswith(said)


@pytest.mark.parametrize(("out", "reason"), [("ball.glb/s.json", "Not a directory"), (".", "Is a directory")])
def test_an_out_that_cannot_be_written_is_told_before_the_work(refusal, files, out, reason):
    said = refusal("score", "ball.glb", "--prompt", PROMPT, "--out", out)
    assert said.startswith(f"--out: {out}: ") and reason in said


def test_without_a_configuration_it_is_the_miniature_s(jsdpipe, files):
    """Whatever lies in the working directory."""
    (files / "config.yaml").write_text("run: [")
    status, out, err = jsdpipe("score", "ball.obj", "--prompt", PROMPT)
    assert (status, len(out.splitlines())) == (0, 2) and "--config" in err
    scores = out.splitlines()[1].split()[1:4]
    jsdpipe("score", "ball.obj", "--prompt", PROMPT, "--config", ROOT / "config.yaml", "--out", "scores.json")
    (ball,) = json.loads((files / "scores.json").read_text())["assets"]
    both = ball["quality"], ball["alignment"]
    assert scores == [f"{value:.1f}" for value in (*both, sum(both) / 2)]


def test_a_prompt_that_the_models_of_the_miniature_do_not_understand_is_warned_of(jsdpipe, files):
    """The judge `attributes` cannot grade it; another can, of which the CLIP does not know."""
    config = read_yaml(Path("mine.yaml"))
    config["alignment"]["judge"] = {"kind": "openai", "base_url": "http://localhost:9", "model": "m", "retries": 0}
    tiny.write(Path("judged.yaml"), config)
    _, _, err = jsdpipe("score", "broken.glb", "--prompt", "a cat", "--config", "judged.yaml")
    assert err.count("warning: --prompt: ") == 1 and "a cat" in err


def test_models_that_cannot_be_had_are_told_before_any_work(refusal, files):
    config = read_yaml(Path("mine.yaml"))
    config["quality"]["reward"] = {"kind": "imagereward", "model": "an-owner/a-name"}
    tiny.write(Path("hub.yaml"), config)
    said = refusal("score", "ball.glb", "--prompt", PROMPT, "--config", "hub.yaml")
    assert said.startswith("hub.yaml: quality.reward: 'an-owner/a-name' ")
