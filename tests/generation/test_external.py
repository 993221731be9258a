"""Methods whose meshes come from elsewhere: patterns, commands, what is kept, and every mistake in one line."""

import json
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tiny
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from waiting import LONG_S, wait_until

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import read_json, sha256
from jsdpipe.base.mesh_references import files_of
from jsdpipe.config.path_patterns import filled, filled_for_a_shell, values
from jsdpipe.config.prompts import to_prompt
from jsdpipe.config.run_config import resolve
from jsdpipe.generation.external import collect
from jsdpipe.mesh import glb
from jsdpipe.mesh.external import convert
from jsdpipe.pipeline.layout import AssetKey
from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.planning.dependencies import Dependencies
from jsdpipe.render.stage import render
from jsdpipe.render.view_archive import read_views

PROMPTS = "a red mushroom\na blue ball\n"
COPY = f"""{shlex.quote(sys.executable)} -c '
import sys, shutil; print("seen", sys.argv[1:]); shutil.copy("box.glb", sys.argv[-1])
' {{prompt}} {{seed}} {{out}}"""


def config(folder, method, prompts=PROMPTS):
    """A run of one external method, without a prior."""
    of = tiny.config(folder, prompts)
    of.pop("prior")
    return of | {"methods": {"theirs": {"kind": "external"} | method}, "generation": {"shard_assets": 4}}


def boxes(folder, pattern, parts=("single",)):
    for part in parts:
        for line, text in enumerate(PROMPTS.splitlines(), start=1):
            for seed in (0, 1):
                path = folder / filled(pattern, values(part, line, to_prompt(text), seed))
                path.parent.mkdir(parents=True, exist_ok=True)
                trimesh.creation.box((1, line, 1 + seed)).export(path)


def run_of(folder, method):
    Run.of(resolve(config(folder, method)), folder / "run").save()
    run = Run.load(folder / "run")
    (shard,) = run.shards()
    return run, shard


def reasons(run, stage, shard):
    return [record["reason"] for record in read_manifest(run, stage, shard)]


def notes(run, stage, shard):
    return [record["notes"] for record in read_manifest(run, stage, shard)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("m/{set}/{prompt_id}/seed{seed}.glb", "m/multi/a-1-2-cup-of-tea-{}/seed7.glb"),
        ("m/{line:03d}-{index}-{seed:02d}.obj", "m/012-11-07.obj"),
        ("{underscored}@{seed}/model.obj", "A_1/2_cup_of_'tea'@7/model.obj"),
        ("{prompt} {{x}} {slug}.ply", "A 1/2 cup of 'tea' {{x}} a-1-2-cup-of-tea.ply"),
    ],
)
def test_what_placeholders_stand_for(pattern, expected):
    prompt = to_prompt("A 1/2 cup of 'tea'")
    assert filled(pattern, values("multi", 12, prompt, 7)) == expected.format(prompt.id[-8:])


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1))
def test_a_prompt_is_one_word_of_a_command(text):
    words = shlex.split(filled_for_a_shell("run {prompt} --seed {seed:02d}", {"prompt": text, "seed": 3}))
    assert words == ["run", text, "--seed", "03"]


@pytest.mark.parametrize(
    ("method", "where", "words"),
    [
        ({}, "", ["path", "command"]),
        ({"path": "{seed}{prompt}.glb", "command": "x {out}"}, "", ["path", "command"]),
        ({"path": "{sead}.glb"}, ".path", ["{sead}", "'seed'"]),
        ({"path": "{}.glb"}, ".path", ["{}", "set, prompt_id, slug, "]),
        ({"path": "{seed.real}.glb"}, ".path", ["{seed.real}"]),
        ({"path": "{seed!r}.glb"}, ".path", ["{seed}"]),
        ({"path": "{seed.glb"}, ".path", ["'}'"]),
        ({"path": "{prompt:d}.glb"}, ".path", ["'d'"]),
        ({"path": "{seed}.fbx"}, ".path", [".glb, .gltf, .obj, .ply, .stl"]),
        ({"path": "{out}.glb"}, ".path", ["{out}"]),
        ({"path": "{seed}.glb", "cwd": "/"}, "", ["cwd"]),
        ({"path": "{seed}.glb", "up": "x"}, ".up", ["'y' or 'z'", '"x"']),
        ({"path": "{seed}.glb", "front": "-y"}, "", ["front", "-y"]),
        ({"command": "run {prompt} {seed}"}, ".command", ["{out}"]),
        ({"command": "x {out}", "output": "a/b.obj"}, ".output", ["folder"]),
        ({"command": "x {prompt} {out}"}, ": command", ["seeds 0 and 1", "{seed}"]),
        ({"command": "x {seed} {prompt} {out}", "cwd": "none"}, ": cwd", ["none: "]),
        ({"path": "m/{seed}.glb"}, ": path", ['"a red mushroom" and "a blue ball"', "{prompt_id"]),
        ({"path": "m/{line}.glb"}, ": path", ["seeds 0 and 1", "{seed}"]),
        ({"path": "m/{line}-{seed}.glb"}, ": path", ["4", "m/1-0.glb"]),
        ({"path": "{seed}.glb", "recipe": "x"}, ".recipe", []),
    ],
)
def test_a_mistake_is_named_with_its_key(tmp_path, method, where, words):
    with pytest.raises(UserError) as error:
        resolve(config(tmp_path, method), "c.yaml")
    message = str(error.value)
    assert message.startswith(f"c.yaml: methods.theirs{where}: ")
    assert [word for word in words if word not in message] == []


def test_mistakes_between_the_two_kinds_of_method(tmp_path):
    good = tiny.config(tmp_path)
    for methods, said in (
        ({"a": {"path": "x.glb"}}, "methods.a: .*kind: external"),
        ({"a": {"kind": "extrenal", "path": "x"}}, "methods.a.kind: .*'external'"),
    ):
        with pytest.raises(UserError, match=f"^c.yaml: {said}"):
            resolve(good | {"methods": methods}, "c.yaml")
    for section, missing in (("prior", "prior"), ("mesh", r"mesh\.resolution")):
        of = {key: value for key, value in good.items() if key != section}
        with pytest.raises(UserError, match=rf"^c\.yaml: {missing}: .*methods\.jsd"):
            resolve(of, "c.yaml")


def test_check_counts_the_meshes_that_are_there(tmp_path, monkeypatch, jsdpipe):
    monkeypatch.chdir(tmp_path)
    boxes(tmp_path, "m/{line}-{seed}.glb")
    (tmp_path / "m/2-1.glb").unlink()
    path = tiny.write(tmp_path / "c.yaml", config(tmp_path, {"path": "m/{line}-{seed}.glb"}))
    assert "3 of 4 meshes" in jsdpipe("check", path)[1]


def test_sets_of_the_same_lines_need_their_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    boxes(tmp_path, "m/{set}-{line}-{seed}.glb", ("single", "more"))
    of = config(tmp_path, {"path": "m/{line}-{seed}.glb"})
    of["sets"]["more"] = of["sets"]["single"]
    with pytest.raises(UserError, match=r"path: .*sets single and more"):
        resolve(of)
    of["methods"]["theirs"]["path"] = "m/{set}-{line}-{seed}.glb"
    resolve(of)


def test_meshes_that_lie_somewhere(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    boxes(tmp_path, "m/{line}-{seed}.obj")
    (tmp_path / "m/1-1.obj").unlink()
    (tmp_path / "m/2-0.obj").write_text("v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    run, shard = run_of(tmp_path, {"path": "m/{line}-{seed}.obj", "up": "z", "front": "-y"})
    collect(run, shard)
    convert(run, shard)
    one, missing, two, three = reasons(run, "generate", shard)
    assert (one, two, three) == (None, None, None) and missing.startswith("m/1-1.obj: ")
    err = capsys.readouterr().err
    assert "theirs/single/000" in err and "1 of 4" in err and missing in err
    one, same, broken, three = reasons(run, "mesh", shard)
    assert (one, same, three) == (None, missing, None) and broken.startswith("m/2-0.obj: ")
    folder = run.layout.asset(AssetKey("theirs", "single", shard.prompts[1].id, 1))
    made = json.loads((folder / "asset.json").read_text())
    assert made["files"]["2-1.obj"] == sha256(tmp_path / "m/2-1.obj")
    surface = glb.load(folder / "mesh.glb")
    assert (surface.vertices.max(axis=0) == (1.0, 0.5, 1.0)).all()  # (1, 2, 2) seen from its -y
    assert read_manifest(run, "mesh", shard)[3].items() >= {"faces": 12, "watertight": True, "components": 1}.items()


def test_a_star_must_match_one_file(tmp_path, monkeypatch):
    """As threestudio's folders, which end in the time; what a prompt has of stars is none."""
    monkeypatch.chdir(tmp_path)
    prompts = "a [red] ball\na ball\na * ball\n"
    for folder in ("a_[red]_ball@2023-07-18", "a_ball@2023-07-18", "a_ball@2023-07-19", "a_blue_ball@2023-07-18"):
        (tmp_path / folder).mkdir()
        trimesh.creation.box((1, 1, 1)).export(tmp_path / folder / "model.obj")
    of = config(tmp_path, {"path": "{underscored}@*/model.obj"}, prompts) | {"seeds": [0]}
    run = Run.of(resolve(of), tmp_path / "run")
    (shard,) = run.shards()
    found = [path for path in run.config.methods[shard.method].sources(run, shard) if path.suffix == ".obj"]
    assert found == [Path("a_[red]_ball@2023-07-18/model.obj")]
    collect(run, shard)
    found, several, none = reasons(run, "generate", shard)
    assert found is None
    assert several.startswith("a_ball@*/model.obj: ") and none.startswith("a_*_ball@*/model.obj: ")
    of["methods"]["theirs"]["path"] = "{underscored}*/model.obj"
    shutil.rmtree(tmp_path / "a_ball@2023-07-18")
    (tmp_path / "a_ball@2023-07-19").rename("a_ball_in_water")
    of["sets"]["single"]["file"] = str(tmp_path / "prompts.txt")
    (tmp_path / "prompts.txt").write_text("a ball\na ball in water\n")
    said = r'path: a_ball_in_water/model\.obj .*"a ball" and "a ball in water".*\{prompt_id'
    with pytest.raises(UserError, match=said):
        resolve(of)
    of["methods"]["theirs"]["path"] = "{underscored}@*/none.obj"
    with pytest.raises(UserError, match=r"path: .*a_ball@\*/none\.obj"):
        resolve(of)


def test_a_changed_file_is_an_input_and_is_read_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    boxes(tmp_path, "m/{line}-{seed}.obj")
    method = {"path": "m/{line}-{seed}.obj"}
    run, shard = run_of(tmp_path, method)
    names = [path.name for path in run.config.methods[shard.method].sources(run, shard) if path.suffix == ".obj"]
    assert names == ["1-0.obj", "1-1.obj", "2-0.obj", "2-1.obj"]
    stages = ("generate", "mesh", "render")
    for change in ({"up": "y"}, {"vertex_colors": "srgb"}):
        other, _ = run_of(tmp_path, method | change)
        one, two = Dependencies(run), Dependencies(other)
        assert [s for s in stages if one.digest(s, shard) != two.digest(s, shard)] == ["mesh"]
    before = Dependencies(run).digest("generate", shard)
    trimesh.creation.box((4, 1, 1)).export(tmp_path / "m/1-0.obj")
    os.utime(tmp_path / "m/1-0.obj", (10**9, 10**9))  # as `cp -p` brings it
    assert Dependencies(run).digest("generate", shard) != before
    collect(run, shard)
    convert(run, shard)
    target = run.layout.asset(AssetKey("theirs", "single", shard.prompts[0].id, 0)) / "mesh.glb"
    first = target.stat().st_mtime_ns
    convert(run, shard)
    assert target.stat().st_mtime_ns == first
    trimesh.creation.box((5, 1, 1)).export(tmp_path / "m/1-0.obj")
    convert(run, shard)
    assert glb.load(target).vertices[:, 0].max() == 2.5


def test_the_files_that_a_mesh_names(tmp_path):
    (tmp_path / "a.obj").write_text("mtllib the a.mtl\nmtllib none.mtl\nv 0 0 0\n")
    (tmp_path / "the a.mtl").write_text("newmtl x\n  map_Kd -s 2 2 2 t\\skin.png\nmap_Kd none.png\n")
    (tmp_path / "t").mkdir()
    (tmp_path / "t/skin.png").write_bytes(b"")
    tree = {"buffers": [{"uri": "a%20b.bin"}, {"uri": "data:x"}, {}], "images": [{"uri": "t/skin.png"}]}
    (tmp_path / "a.gltf").write_text(json.dumps(tree))
    content = json.dumps(tree).encode()
    head = struct.pack("<4s3I4s", b"glTF", 2, 20 + len(content), len(content), b"JSON")
    (tmp_path / "a.glb").write_bytes(head + content)
    (tmp_path / "a b.bin").write_bytes(b"")
    (tmp_path / "a.ply").write_bytes(b"ply\ncomment TextureFile t/skin.png\nend_header\n\xff")
    (tmp_path / "broken.gltf").write_text("[1")
    for name, found in (
        ("a.obj", ["a.obj", "the a.mtl", "t/skin.png"]),
        ("a.gltf", ["a.gltf", "a b.bin", "t/skin.png"]),
        ("a.glb", ["a.glb", "a b.bin", "t/skin.png"]),
        ("a.ply", ["a.ply", "t/skin.png"]),
        ("broken.gltf", ["broken.gltf"]),
        ("none.obj", []),
        ("x" * 300, []),
    ):
        assert files_of(tmp_path / name) == [tmp_path / path for path in found]


def test_a_command_runs_once_an_asset_and_sees_the_prompt_as_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    theirs = tmp_path / "their checkout"
    theirs.mkdir()
    trimesh.creation.box((1, 1, 1)).export(theirs / "box.glb")
    hostile = "a \"$(touch x)\" 'ball'; touch y"
    of = config(tmp_path, {"command": COPY, "cwd": "their checkout"}, f"{hostile}\n")
    run = Run.of(resolve(of), tmp_path / "run")
    (shard,) = run.shards()
    folders = [run.layout.external(AssetKey("theirs", "single", shard.prompts[0].id, seed)) for seed in (0, 1)]

    def stamps():
        return [(folder / "stdout.log").stat().st_mtime_ns for folder in folders]

    collect(run, shard)
    before = stamps()
    convert(run, shard)
    assert reasons(run, "mesh", shard) == [None, None]
    assert {path.name for path in tmp_path.rglob("*")}.isdisjoint({"x", "y"})
    said = (folders[1] / "stdout.log").read_text()
    assert said == f"seen {[hostile, '1', str(folders[1] / 'output.glb')]!r}\n"
    collect(run, shard)
    assert stamps() == before
    (folders[1] / "output.glb").write_bytes(b"changed by somebody")
    collect(run, shard)
    after = stamps()
    assert after[0] == before[0] and after[1] != before[1]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("echo a >&2; echo ' it burns ' >&2; exit 3", "status 3: it burns$"),
        ("false", "status 1"),
        ("echo odd >&2", "output.glb: odd$"),
        ("echo 'no mesh' > {out}", None),
    ],
)
def test_a_command_that_fails_is_a_failed_asset(tmp_path, command, reason):
    run, shard = one_asset(tmp_path, f"{command} # {{seed}} {{out}}")
    collect(run, shard)
    (said,) = reasons(run, "generate", shard)
    assert (said is None) if reason is None else re.search(reason, said)
    convert(run, shard)
    (found,) = reasons(run, "mesh", shard)
    assert ("output.glb: " in found) if reason is None else found == said


def test_a_command_that_takes_too_long_is_stopped(tmp_path):
    run, shard = one_asset(tmp_path, "sleep 600 & sleep 600; : {seed} {out}", timeout_s=0.1)
    collect(run, shard)
    (said,) = reasons(run, "generate", shard)
    assert "0.1 s" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_command_ends_with_the_job_that_runs_it(tmp_path, number):
    """And what it has started."""
    # its own number, and that of a second process; both would go on for long
    run, shard = one_asset(tmp_path, "sleep 600 & echo $$ $! > pids.new; mv pids.new pids; sleep 600; : {seed} {out}")
    with job(tmp_path, {number: signal.SIG_DFL}) as running:
        wait_until((tmp_path / "pids").exists)
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert all(_runs(pid) for pid in pids)
        running.send_signal(number)
        assert running.wait(LONG_S) != 0
        wait_until(lambda: not any(_runs(pid) for pid in pids))
    assert not run.layout.manifest("generate", shard).exists()


def test_a_job_ignores_the_signals_that_it_was_started_to_ignore(tmp_path):
    """As by nohup, or in the background of a script."""
    run, shard = one_asset(tmp_path, "touch begun; until [ -e go ]; do sleep 0.05; done; echo {seed} > {out}")
    numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    with job(tmp_path, dict.fromkeys(numbers, signal.SIG_IGN)) as running:
        wait_until((tmp_path / "begun").exists)
        for number in numbers:
            running.send_signal(number)
        (tmp_path / "go").touch()
        assert running.wait(LONG_S) == 0
    assert reasons(run, "generate", shard) == [None]


def one_asset(folder, command, **method):
    """A saved run of one command, one prompt and one seed."""
    of = {"command": command, "cwd": str(folder)} | method
    Run.of(resolve(config(folder, of, "a ball\n") | {"seeds": [0]}), folder / "run").save()
    run = Run.load(folder / "run")
    (shard,) = run.shards()
    return run, shard


@contextmanager
def job(folder, signals):
    """The stage `generate` of `one_asset`, started with these handlers: else it would ignore what this process does."""

    def prepare():
        for number, handler in signals.items():
            signal.signal(number, handler)

    call = [sys.executable, "-m", "jsdpipe.cli", "stage", "generate", "--run", "run", "--shard", "theirs/single/000"]
    with subprocess.Popen(call, cwd=folder, stderr=subprocess.DEVNULL, preexec_fn=prepare) as running:
        try:
            yield running
        finally:
            running.kill()


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that even root cannot read")
def test_a_file_that_cannot_be_read_is_named(tmp_path):
    for suffix in (".obj", ".glb", ".ply"):
        (tmp_path / f"mesh{suffix}").symlink_to("/proc/self/mem")
        with pytest.raises(UserError, match=rf"mesh\{suffix}: .*Input/output error"):
            files_of(tmp_path / f"mesh{suffix}")


def test_a_missing_material_is_noted_or_fails_and_is_read_anew_when_it_comes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trimesh.creation.box().export("box.obj", include_color=False, include_normals=False)
    body = Path("box.obj").read_text()
    for seed in (0, 1):
        Path(f"{seed}.obj").write_text(f"mtllib {seed}.mtl\nusemtl red\n{body}")
    Path("1.mtl").write_text("newmtl red\nKd 0.8 0.1 0.1\n")
    of = config(tmp_path, {"path": "{seed}.obj"}, "a box\n") | {"mesh": {}}

    def extracted(mesh):
        run = Run.of(resolve(of | {"mesh": mesh}), tmp_path / "run")
        (shard,) = run.shards()
        collect(run, shard)
        convert(run, shard)
        return run, shard

    run, shard = extracted({})
    assert reasons(run, "mesh", shard) == [None, None]
    (said,), nothing = notes(run, "mesh", shard)
    assert "0.mtl" in said and "red" in said and nothing == []
    folders = [run.layout.asset(shard.key(prompt.id, seed)) for prompt, seed in shard.assets()]
    colors = [np.unique(glb.load(folder / "mesh.glb").colors, axis=0).tolist() for folder in folders]
    assert colors == [[[102, 102, 102]], [[204, 26, 26]]]
    assert read_json(folders[0] / "mesh.json")["notes"] == [said]
    before = Dependencies(run).digest("mesh", shard)

    run, shard = extracted({"missing_material": "fail"})
    failed, whole = reasons(run, "mesh", shard)
    assert "0.mtl" in failed and "mesh.missing_material" in failed and whole is None
    assert notes(run, "mesh", shard) == [[], []] and Dependencies(run).digest("mesh", shard) != before

    shutil.copy("1.mtl", "0.mtl")
    run, shard = extracted({})
    assert notes(run, "mesh", shard) == [[], []]
    assert np.unique(glb.load(folders[0] / "mesh.glb").colors, axis=0).tolist() == [[204, 26, 26]]


def test_a_mesh_far_from_the_origin_gives_the_same_views(tmp_path, monkeypatch):
    """Moved by what is exact in double precision: to the byte."""
    monkeypatch.chdir(tmp_path)
    ball = trimesh.creation.icosphere(subdivisions=2).vertices.astype(np.float32).astype(np.float64)
    faces = trimesh.creation.icosphere(subdivisions=2).faces + 1
    for seed, place in enumerate((np.zeros(3), np.array([2.0**22, -(2.0**22), 2.0**20]))):
        lines = ["v {!r} {!r} {!r}".format(*at) for at in (ball + place).tolist()]
        lines += ["f {} {} {}".format(*face) for face in faces]
        Path(f"{seed}.obj").write_text("\n".join(lines))
    of = config(tmp_path, {"path": "{seed}.obj"}, "a ball\n")
    run = Run.of(resolve(of), tmp_path / "run")
    (shard,) = run.shards()
    for stage in (collect, convert, render):
        stage(run, shard)
    near, far = [run.layout.asset(shard.key(prompt.id, seed)) for prompt, seed in shard.assets()]
    assert (near / "mesh.glb").read_bytes() == (far / "mesh.glb").read_bytes()
    for rig in ("quality", "alignment", "diversity"):
        one, other = (read_views(run.layout.views(shard, shard.prompts[0].id, seed), rig) for seed in (0, 1))
        assert one.max() == 102 and np.array_equal(one, other)


def test_views_that_are_all_black_are_noted(tmp_path, monkeypatch):
    """Black ones, and those of a speck beside a far one; not those of a mesh with a single part that is not black."""
    monkeypatch.chdir(tmp_path)
    box, ball = trimesh.creation.box(), trimesh.creation.icosphere(subdivisions=2)
    for seed, (mesh, color) in enumerate(((box, (0, 0, 0)), (ball, (2, 3, 1)), (box, (0, 0, 0)))):
        mesh.visual.vertex_colors = (*color, 255)
        if seed == 2:
            mesh.visual.vertex_colors[0] = (0, 40, 0, 255)
        mesh.export(f"{seed}.glb")
    specks = [trimesh.creation.box((1e-4,) * 3).apply_translation((x, 0, 0)) for x in (-1, 1)]
    trimesh.util.concatenate(specks).export("3.glb")
    of = config(tmp_path, {"path": "{seed}.glb"}, "a box\n") | {"seeds": [0, 1, 2, 3]}
    run = Run.of(resolve(of), tmp_path / "run")
    (shard,) = run.shards()
    for stage in (collect, convert, render):
        stage(run, shard)
    found = notes(run, "render", shard)
    assert [["black" in note for note in of_asset] for of_asset in found] == [[True], [True], [], [True]]
    assert reasons(run, "render", shard) == [None] * 4
    render(run, shard)  # kept, and its notes with it
    assert notes(run, "render", shard) == found
