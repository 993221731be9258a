"""Every mistake in a configuration is one line with the file, the key and the mend; status 2; nothing is written."""

import copy
import shutil
from functools import reduce
from pathlib import Path
from typing import Any

import dolls
import pytest
import tiny

from jsdpipe.config.recipe import Recipe
from jsdpipe.config.run_config import RunConfig, load_config
from jsdpipe.models import miniature_clip
from jsdpipe.models.roles import ROLES

GONE = object()


def changed(config: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """The configuration with one key, dotted, replaced, added, or taken out (GONE)."""
    config = copy.deepcopy(config)
    *above, last = key.split("/")
    holder = reduce(lambda mapping, part: mapping[part], above, config)
    if value is GONE:
        del holder[last]
    else:
        holder[last] = value
    return config


@pytest.fixture
def refused(jsdpipe, tmp_path):
    """What `jsdpipe configure` says of a configuration that it must refuse."""

    def configure(config: dict[str, Any]) -> str:
        path = tiny.write(tmp_path / "config.yaml", config)
        status, out, err = jsdpipe("configure", path, "--run", tmp_path / "run")
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert not (tmp_path / "run").exists()
        assert err.startswith(f"jsdpipe: error: {path}: ")
        return err.removeprefix(f"jsdpipe: error: {path}: ").rstrip("\n")

    return configure


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("seeds", GONE, "seeds: missing; add it"),
        ("render/quality/radius", GONE, "render.quality.radius: missing; add it"),
        ("methods/jsd/recipe", GONE, "methods.jsd.recipe: missing; add it"),
        ("sead", 1, "sead: unknown key; did you mean 'seed'?"),
        ("render/quality/fovy", [60.0], "render.quality.fovy: unknown key; did you mean 'fovy_deg'?"),
        ("prior/cheese", 1, "prior.cheese: unknown key; known here: dtype, model, revision"),
        ("resources", {"generat": {}}, "resources.generat: unknown key; must be 'generate', 'mesh', 'render', "),
        ("resources", {"mesh": {"gpus": 1}}, "resources.mesh.gpus: unknown key; did you mean 'gpu'?"),
        ("seeds", 3, "seeds: input should be a valid array, found 3"),
        ("seeds", [0, "1"], 'seeds.1: input should be a valid integer, found "1"'),
        ("seeds", [0, 1, 0], "seeds: 0 is there twice; remove one"),
        ("seeds", [], "seeds: list should have at least 1 item"),
        ("mesh/threshold", "high", 'mesh.threshold: input should be a valid number, found "high"'),
        ("mesh/resolution", 16.5, "mesh.resolution: input should be a valid integer"),
        ("mesh/resolution", 2, "mesh.resolution: must be from 8 to 1024, found 2"),
        ("render/keep_views", "no", 'render.keep_views: input should be a valid boolean, found "no"'),
        ("prior/dtype", "int8", "prior.dtype: input should be 'float32', 'float16' or 'bfloat16', found \"int8\""),
        ("methods", {}, "methods: dictionary should have at least 1 item"),
        ("methods", None, "methods: input should be an object"),
        ("methods/a b", {"recipe": "jsdlr"}, "methods.a b: it names files; take at most 64 of letters, digits"),
        ("methods/..", {"recipe": "jsdlr"}, "methods...: it names files"),
        ("methods/x\ny", {"recipe": "jsdlr"}, r"methods.'x\ny': it names files"),
        ("run", "../elsewhere", "run: it names files"),
        ("run", "r" * 65, "run: it names files"),
        (
            "methods/jsd/recipe",
            "jsd-minature",
            "methods.jsd: no recipe \"jsd-minature\"; did you mean 'jsd-miniature'?",
        ),
        (
            "methods/jsd/recipe",
            "./none.yaml",
            "methods.jsd: none.yaml: cannot be read (No such file or directory); corr",
        ),
        ("methods/jsd/recipe", "./a\nb.yaml", r"methods.jsd: a\nb.yaml: cannot be read (No such file or directory)"),
        ("methods/jsd/recipe", "a\nb", r'methods.jsd: no recipe "a\nb"; there are: '),
        ("methods/jsd/recipe", "x" * 300, 'methods.jsd: no recipe "xxx'),
        (
            "methods/jsd/recipe",
            "/\0.yaml",
            r"methods.jsd: /\x00.yaml: cannot be read (no file can be named so); correct the path",
        ),
        ("methods/jsd/recipe", "", "methods.jsd.recipe: string should have at least 1 character"),
        (
            "methods/JSD",
            {"recipe": "jsdlr"},
            "methods: 'jsd' and 'JSD' differ only in case, and name folders; rename one",
        ),
        ("sets/Single", {"file": "x"}, "sets: 'single' and 'Single' differ only in case, and name folders; rename one"),
        (
            "quality/reward",
            "miniature-clip",
            'quality.reward: must be a mapping of keys to values, found "miniature-clip"',
        ),
        ("alignment/judge", {"kind": "attribute"}, "alignment.judge.kind: "),
        ("alignment/judge", {"kind": "openai", "model": "m"}, "alignment.judge.base_url: missing; add it"),
        (
            "alignment/judge",
            {"kind": "openai", "model": "m", "base_url": "localhost/v1"},
            "alignment.judge.base_url: string should match pattern",
        ),
        (
            "alignment/judge",
            {"kind": "openai", "model": "m", "base_url": "http://a/v1", "api_key": "sk"},
            "alignment.judge.api_key: unknown key; ",
        ),
        (
            "alignment/judge",
            {"kind": "transformers", "model": "no such folder"},
            "alignment.judge: 'no such folder' is no folder; name a folder in transformers' format",
        ),
        ("alignment/captioner", {"kind": "blip3"}, "alignment.captioner.kind: "),
        (
            "prior/model",
            "minature",
            "prior.model: 'minature' is no folder; name a folder in diffusers' format, a hub id",
        ),
        (
            "prior/revision",
            "main",
            "prior.model: 'miniature' is a folder, which has no revisions; take revision 'main' out",
        ),
        ("prior/model", "/none/sd", "prior.model: '/none/sd' is no folder"),
        ("prior/model", "", "prior.model: string should have at least 1 character"),
        ("prior/model", "x" * 300, f"prior.model: '{'x' * 300}' cannot be read (File name too long); correct"),
        ("sets/single/file", "none.txt", "sets.single.file: none.txt: no such prompt file"),
        ("sets/single/file", "", "sets.single.file: string should have at least 1 character"),
        (
            "sets/single/file",
            "a\0b",
            r"sets.single.file: a\x00b: prompt file cannot be read (no file can be named so); correct",
        ),
        ("sets/single/file", "/", "sets.single.file: /: prompt file cannot be read (Is a directory); correct the path"),
        ("render/quality/fovy_deg", [], "render.quality.fovy_deg: list should have at least 1 item"),
        (
            "render/quality/fovy_deg",
            [60.0, 180.0],
            "render.quality.fovy_deg.1: must be from 4 to 170, found 180.0",
        ),
        ("render/quality/fovy_deg", [0.0], "render.quality.fovy_deg.0: must be from 4 to 170, found 0.0"),
        ("render/alignment/fovy_deg", 400.0, "render.alignment.fovy_deg: must be from 4 to 170, found 400.0"),
        ("render/diversity/fovy_deg", 180, "render.diversity.fovy_deg: must be from 4 to 170, found 180"),
        (
            "render/diversity/elevation_deg",
            90.5,
            "render.diversity.elevation_deg: must be from -90 to 90",
        ),
        (
            "render/diversity/elevation_deg",
            -91,
            "render.diversity.elevation_deg: must be from -90 to 90",
        ),
        (
            "render/quality/radius",
            1.7,
            "render.quality.radius: must be above sqrt(3), about 1.7321, to be outside of the",
        ),
        ("render/alignment/radius", -4.0, "render.alignment.radius: must be above sqrt(3), about 1.7321"),
    ],
)
def test_a_wrong_key(refused, tmp_path, key, value, said):
    assert refused(changed(tiny.config(tmp_path), key, value)).startswith(said)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("render/alignment/fovy_deg", 0.785, "from 4 to 170"),  # radians
        ("render/quality/fovy_deg", [3.1416], "from 4 to 170"),
        (
            "render/quality/radius",
            2200.0,
            "above sqrt(3), about 1.7321, to be outside of the mesh's cube [-1, 1]^3, an",
        ),
        ("render/diversity/distance", 1500.0, "above 0 and at most 100"),  # millimetres
        ("render/diversity/views", 0, "from 1 to 1000"),
        ("render/size", 65_536, "from 16 to 4096"),
        ("render/supersample", 16, "from 1 to 8"),
        ("mesh/resolution", 100_000, "from 8 to 1024"),
        ("mesh/threshold", -1.0, "above 0 and at most 10000"),
        ("mesh/threshold", 1e6, "above 0 and at most 10000"),
        ("mesh/min_component", 2, "at least 0 and below 1"),  # per cent
        ("generation/batch_assets", 1_000_000, "from 1 to 1024"),
        ("generation/preview_views", 100_000, "from 1 to 1000"),
        ("resources", {"mesh": {"mem_mb": 16}}, "from 100 to 16000000"),  # GB
        ("resources", {"mesh": {"mem_mb": 16_000_000_000}}, "from 100 to 16000000"),  # bytes
        ("resources", {"mesh": {"runtime": 172_800}}, "from 1 to 50000"),  # seconds
        ("resources", {"mesh": {"gpu": 100}}, "from 0 to 64"),
        ("report/confidence", 95, "at least 0.5 and below 1"),  # per cent
        ("report/confidence", 0.05, "at least 0.5 and below 1"),  # the level
        ("report/bootstrap", 10, "from 100 to 1000000"),
        ("seed", -1, "at least 0 and below 9223372036854775808"),
        ("seeds", [2**63], "at least 0 and below 9223372036854775808"),
        ("study/particles", 10_000_000, "from 1 to 100000"),
    ],
)
def test_a_number_of_another_unit_or_magnitude(refused, tmp_path, key, value, said):
    """Whatever the key, the message says between which bounds it must be."""
    message = refused(changed(tiny.config(tmp_path), key, value))
    assert message.startswith(key.replace("/", "."))
    assert f": must be {said}" in message


def numbers(schema, key):
    """Every numeric key in a part of a schema, with what is said of it."""
    if schema.get("type") in ("number", "integer"):
        yield key, schema
    for name, below in schema.get("properties", {}).items():
        yield from numbers(below, f"{key}.{name}")
    unions = (option for union in ("anyOf", "oneOf", "allOf") for option in schema.get(union, []))
    for below in (*schema.get("prefixItems", []), *unions, schema.get("items"), schema.get("additionalProperties")):
        if isinstance(below, dict):
            yield from numbers(below, key)


@pytest.mark.parametrize("model", [RunConfig, Recipe])
def test_every_number_has_bounds(model):
    for role in ROLES:
        for kind in role.kinds():
            role[kind]
    schema = model.model_json_schema()
    parts = {model.__name__: schema, **schema["$defs"]}
    found = [entry for name, part in parts.items() for entry in numbers(part, name)]
    assert len(found) > 30
    unbounded = {
        key
        for key, of in found
        if not ({"minimum", "exclusiveMinimum"} & of.keys() and {"maximum", "exclusiveMaximum"} & of.keys())
    }
    # these have a check of their own
    assert unbounded <= {"QualityRig.radius", "AlignmentRig.radius"}


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        ("a red ball\n\na blue cube\n", "line 2: empty prompt; write one or remove it"),
        ("a red ball\na red ball\n", "line 2: same prompt as line 1; remove one"),
        ("a red ball\n\x1b[31m\n", "line 2: control character U+001B in the prompt; remove it"),
    ],
)
def test_a_bad_prompt(refused, tmp_path, prompts, said):
    file = tmp_path / "prompts.txt"
    assert refused(tiny.config(tmp_path, prompts)) == f"sets.single.file: {file}: {said}"


@pytest.mark.parametrize(
    ("prompt", "shown"),
    [
        ('a "red" ball', r'"a \"red\" ball"'),
        ("$(touch x)", '"$(touch x)"'),
        ("../../a ball", '"../../a ball"'),
        ("a 🍄", '"a 🍄"'),
        ("a\u202e ball", r'"a\u202e ball"'),  # which would turn the rest of the line around
        ("a ball " * 300, '"a ball a ball a ball a ball a ball a ball a ball a ball ...'),
    ],
)
def test_a_prompt_that_the_judge_cannot_read(refused, tmp_path, prompt, shown):
    config = tiny.config(tmp_path, f"a red ball\n{prompt}\na blue cube\n")
    assert refused(config) == (
        f"sets.single.file: {tmp_path / 'prompts.txt'}: line 2: the judge 'attributes' cannot read the prompt (not a "
        f"thing of the miniature world: {shown}); write one such as 'a striped red mug on green grass', or "
        "configure models that know any prompt"
    )


def test_a_prompt_that_the_judge_can_read(jsdpipe, tmp_path):
    """The example of the message before."""
    config = tiny.config(tmp_path, "a striped red mug on green grass\n")
    assert jsdpipe("check", tiny.write(tmp_path / "c.yaml", config))[0] == 0


def test_a_wrong_key_in_an_override(refused, tmp_path):
    said = refused(changed(tiny.config(tmp_path), "methods/jsd/override", {"stepz": 1}))
    assert said.startswith("methods.jsd: ")
    assert said.endswith("jsd-miniature.yaml with its override: stepz: unknown key; did you mean 'steps'?")


def test_a_file_of_the_scoring_models_missing(refused, tmp_path, monkeypatch):
    """Before the hours of generation, not after them."""
    weights = tmp_path / "weights"
    shutil.copytree(miniature_clip.WEIGHTS / "clip", weights / "clip")
    monkeypatch.setattr(miniature_clip, "WEIGHTS", weights)
    config = tiny.config(tmp_path)
    load_config(config)
    for name in sorted(path.name for path in (weights / "clip").iterdir()):
        (weights / "clip" / name).rename(tmp_path / "aside")
        assert refused(config) == (
            f"quality.reward: {weights / 'clip'}: {name} is missing; "
            "give a complete folder in open_clip's format, weights as safetensors"
        )
        (tmp_path / "aside").rename(weights / "clip" / name)


def test_an_unreadable_file(jsdpipe, tmp_path):
    (tmp_path / "list.yaml").write_text("[1, 2]")
    (tmp_path / "open.yaml").write_text("a: [1, 2")
    (tmp_path / "twice.yaml").write_text("run: a\nseed: 1\nrun: b\n")
    (tmp_path / "latin.yaml").write_bytes("run: é".encode("latin-1"))
    (tmp_path / "date.yaml").write_text("run: 2026-01-01")
    (tmp_path / "month.yaml").write_text("run: 2026-13-01")
    (tmp_path / "deep.yaml").write_text("[" * 5000)
    (tmp_path / "key.yaml").write_text("run: x\n? [a]\n: 1\n")
    (tmp_path / "mapping.yaml").write_text("run:\n  {a: b}: 1\n")
    (tmp_path / "bell.yaml").write_text("run: \a")
    for name, said in (
        ("none.yaml", "cannot be read (No such file or directory)"),
        ("", "cannot be read (Is a directory)"),
        ("list.yaml", "must be a mapping of keys"),
        ("open.yaml", "line 1: not valid YAML (expected ',' or ']', but got '<stream end>'); correct it there"),
        ("twice.yaml", "line 3: not valid YAML (key 'run' twice); correct it there"),
        ("key.yaml", "line 2: not valid YAML (a list or mapping as a key); correct it there"),
        ("mapping.yaml", "line 2: not valid YAML (a list or mapping as a key); correct it there"),
        ("month.yaml", "not valid YAML (what looks like a date or number is none); correct or quote it"),
        ("deep.yaml", "not valid YAML (nested too deep"),
        ("bell.yaml", "(U+0007 at position 5); remove it"),
        ("latin.yaml", "not UTF-8 (byte 5)"),
        ("date.yaml", "holds a date, or a value that holds itself; use only text, numbers"),
    ):
        status, _, err = jsdpipe("check", tmp_path / name)
        assert (status, err.count("\n")) == (2, 1)
        assert said in err


def test_a_model_folder_with_a_file_missing(refused, tmp_path):
    folder = dolls.diffusion(tmp_path / "model")
    config = changed(tiny.config(tmp_path), "prior/model", str(folder))
    load_config(config)
    for name, said in (
        ("scheduler/scheduler_config.json", "scheduler/scheduler_config.json is missing"),
        ("unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.safetensors is missing"),
    ):
        (folder / name).rename(tmp_path / "aside")
        assert refused(config).startswith(f"prior.model: {folder}: {said}; give a complete folder")
        (tmp_path / "aside").rename(folder / name)
    shutil.rmtree(folder / "tokenizer")
    assert "tokenizer/tokenizer.json or tokenizer/vocab.json is missing" in refused(config)


def test_whatever_stands_in_a_configuration_ends_in_one_line(refused, tmp_path):
    """Every value of the configuration replaced by something else."""
    config = tiny.config(tmp_path)

    def places(value: Any, above: tuple[str, ...] = ()) -> Any:
        for key, below in value.items() if isinstance(value, dict) else ():
            yield "/".join((*above, key))
            yield from places(below, (*above, key))

    for key in places(config):
        if "/override" in key:
            continue  # of a recipe
        assert refused(changed(config, key, {"a": [None]})).startswith(key.replace("/", "."))


def test_the_default_configuration_names_every_key(monkeypatch):
    """config.yaml is where keys are looked up."""
    monkeypatch.chdir(Path(__file__).parents[2])
    config = load_config(Path("config.yaml"))
    assert config.model_dump().keys() == config.model_fields_set
    assert set(config.resources) == {"generate", "mesh", "render", "quality", "alignment", "diversity", "report"}
    for section in ("prior", "generation", "mesh", "render", "report"):
        of = getattr(config, section)
        assert of.model_dump().keys() == of.model_fields_set, section
