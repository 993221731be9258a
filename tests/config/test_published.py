"""Every published recipe beside its public configuration (published.csv), so that no key drifts on either side.

A mapping reads the public values, and states what the recipe then must be. Each row is read, or has a reason in
`NOT_HERE`; each key of a recipe is stated by its mapping, or has a reason in `OURS`.
"""

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path

import pytest
import tiny
import tiny_models
from pytest import approx

from jsdpipe.config.recipes import load_recipe, names

COLUMNS = ["recipe", "key", "value", "repository", "commit", "file", "line"]
with Path(__file__).with_name("published.csv").open(newline="", encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))
PUBLISHED = [name.removeprefix("published/") for name in names() if name.startswith("published/")]

# what is the same in the code here, for all recipes
FIXED = {
    "data.light_sample_strategy": "dreamfusion",
    "data.light_position_perturb": 1.0,
    "system.geometry.density_activation": "softplus",
    "system.geometry.mlp_network_config.n_hidden_layers": 1,
    "system.material.albedo_activation": "sigmoid",
    "system.background.mlp_network_config.n_neurons": 16,
    "system.background.mlp_network_config.n_hidden_layers": 2,
    "system.background.dir_encoding_config.degree": 3,
    "system.renderer_type": "nerf-volume-renderer",
    "system.renderer.render_step_size": "1.732 * 2 * radius / num_samples_per_ray",
    "system.renderer.randomized": True,
    "system.prompt_processor.perp_neg_f_sb": [1, 0.5, -0.606],
    "system.prompt_processor.perp_neg_f_fsb": [1, 0.5, 0.967],
    "system.prompt_processor.perp_neg_f_fs": [4, 0.5, -2.426],
    "system.prompt_processor.perp_neg_f_sf": [4, 0.5, -2.426],
    "system.prompt_processor.use_view_dependent_negative_prompt": False,
    "perp_neg.front_side": [-2, 2, -2, 10],
    "perp_neg.side_back": [-1, 10, -2],
    "system.guidance.var_red": True,
    "system.guidance.sqrt_anneal": False,
    "system.guidance.enable_sdi": True,
    "system.guidance.t_anneal": True,
    "system.guidance.plus_random": True,
    "system.guidance.cond_scale": 1.0,
    "system.guidance.noise_scale": 0.0,
    "system.loss.lambda_depth": 0,
    "system.loss.emptiness_scale": 10,
    "system.loss.lambda_normal_smoothness_2d": 0.0,
}

# rows that nothing here answers to, by recipe ("" for all), with the reason
NOT_HERE = {
    "": {
        "trainer.precision": "the scene is in single precision here; a run states the prior's",
        "system.prompt_processor_type": "stated by the prior",
    },
    "sjc": {
        "data.light_position_perturb": "no light without a material",
        "system.loss.center_ratio": "read by the depth loss alone, whose weight is 0",
    },
    "csd": {
        "system.guidance.pretrained_model_name_or_path": "DeepFloyd IF is not of Stable Diffusion's family",
        "data.light_position_perturb": "lit steps show normals, whatever the light",
    },
    "asd-adversarial": {"perp_neg.azimuth_shift": "turns the whole asset by 270 degrees"},
    "ism": {
        "ModelParams._white_background": "a background of one learned color here",
        "render.black_share": "random colors alone here",
        "GenerateCamParams.init_shape": "3D Gaussians there",
        "GenerateCamParams.init_num_pts": "3D Gaussians there",
        "GenerateCamParams.radius_range": "the first of ranges that widen; here the last throughout",
        "GenerateCamParams.fovy_range": "the first of ranges that widen; here the last throughout",
        "GenerateCamParams.uniform_sphere_rate": "elevations here are half uniform in angle, half on the sphere",
        "OptimizationParams.as_latent_ratio": "the share of steps that distill depth, not color",
        "OptimizationParams.lambda_tv": "of images and depths, which is no regularizer here",
        "OptimizationParams.lambda_scale": "of 3D Gaussians",
        "noise.channel": "an offset on the noise, which is no part of the paper's objective",
        "augmentation.flip": "renders are mirrored at times, against the text of their side",
    },
    "sim": {
        "use_pickscore": "a reward beside the objective",
        "lambda_entropy": "of every sample's weight, which is no regularizer here",
        "lambda_orient": "in lit steps alone, which no schedule here can say",
        "warm_iters": "the adapter's learning rate does not warm up here",
        "num_steps": "uniform samples of two rounds; see `samples_per_ray`",
        "upsample_steps": "importance samples, which are not had here",
        "uniform_sphere_rate": "half of its cameras are in the upper half-space alone",
        "pre_noise": "noise on the density in training",
        "num_layers": "one linear layer; the networks here have one hidden layer",
        "background.encoding": "frequencies; spherical harmonics here",
        "background.random_after": "random backgrounds begin at once here",
    },
}

# keys that are only here, and the value that does what the public codes do; ISM's mapping states two of them itself
NEUTRAL = {
    "objective.adapter.revision": None,
    "objective.clamp_first_timestep": False,  # the public codes of JSD and SDI ask the U-Net at timestep -99
    "objective_weight": 1.0,
    "regularizers.share": None,
    "view_prompts.interpolate": False,
}

# keys of a recipe that no public value stands for, with the reason
SCENE_OF_VSD = "3D Gaussians there; the hash grid of published/vsd here"
OURS = {
    "sjc": {"posterior": "no autoencoder in the loop"},
    "csd": {
        "prior": "Stable Diffusion 2.1-base in place of DeepFloyd IF",
        "posterior": "DeepFloyd IF has no autoencoder",
        "view_prompts.negative_prompt": "its negative prompt is the objective's; the null text is empty",
    },
    "ism": {
        "view_prompts.front_deg": "not read where texts are mixed",
        "view_prompts.back_deg": "not read where texts are mixed",
        "view_prompts.overhead_deg": "there is no text for overhead; cameras do not come there",
        "view_prompts.templates.overhead": "the same",
        "cameras.samples_per_ray": SCENE_OF_VSD,
        "field.background.kind": "one learned color in place of white",
        "field.background.lr": SCENE_OF_VSD,
    },
    "sim": {
        "field.hidden": "a hidden layer, where Dive3D has none",
        "field.background.kind": "the nearest of the environment maps here",
        "cameras.samples_per_ray": "fine uniform steps, for want of importance sampling",
        "field.occupancy_resolution": "there every ray is sampled throughout",
        "field.occupancy_every": "the same",
        "objective.adapter": "the prior's own U-Net",
    },
}


class Public(Mapping):
    """The public values of a recipe by key, below a prefix, which notes the keys that are read."""

    def __init__(self, values, was_read, prefix=""):
        self.values_, self.was_read, self.prefix = values, was_read, prefix

    def __getitem__(self, key):
        value = self.values_[self.prefix + key]
        self.was_read.add(self.prefix + key)
        return value

    def __contains__(self, key):
        return self.prefix + key in self.values_

    def __iter__(self):
        return (key.removeprefix(self.prefix) for key in self.values_ if key.startswith(self.prefix))

    def __len__(self):
        return sum(1 for _ in self)

    def below(self, prefix):
        return Public(self.values_, self.was_read, self.prefix + prefix)


def parsed(text):
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def leaves(value, path=""):
    """The values of nested mappings by dotted path, tuples as lists."""
    if not isinstance(value, dict):
        return {path: listed(value)}
    return {k: v for key, below in value.items() for k, v in leaves(below, f"{path}.{key}".lstrip(".")).items()}


def listed(value):
    return [listed(item) for item in value] if isinstance(value, list | tuple) else value


def community(model):
    """Where the hub has a model of Stability AI's now."""
    return f"sd2-community/{model.rpartition('/')[2]}"


GUIDANCE = {
    ("stable-diffusion-jsd-guidance", False): "jsd",
    ("stable-diffusion-guidance", False): "sds",
    ("stable-diffusion-guidance", True): "sjc",
    ("deep-floyd-simple-guidance", False): "csd",
    ("stable-diffusion-vsd-guidance", False): "vsd",
    ("stable-diffusion-sdi-guidance", False): "sdi",
    ("stable-diffusion-asd-guidance", False): "asd-adversarial",
    ("stable-diffusion-asynchronous-score-distillation-guidance", False): "asd-asynchronous",
}
LOSSES = {
    "orientation": "orient", "sparsity": "sparsity", "opaque": "opaque", "convexity": "convex",
    "z_variance": "z_variance", "emptiness": "emptiness", "total_variation": "tv",
}  # fmt: skip


def threestudio(public):
    """By a configuration of threestudio, or of a code that is built on it."""
    system = public.below("system.")
    expected = {
        "reduction": system["guidance.loss.reduction"],
        "steps": public["trainer.max_steps"],
        "views_per_step": first(public["data.batch_size"]),
        "regularizers": {name: system.get(f"loss.lambda_{key}", 0) for name, key in LOSSES.items()},
        "optimizer": {
            "kind": system["optimizer.name"].lower(),
            **{key: system[f"optimizer.args.{key}"] for key in ("betas", "eps", "weight_decay")},
        },
        "cameras": cameras(public),
        "view_prompts": view_prompts(public),
        "objective": {"kind": GUIDANCE[system["guidance_type"], system.get("guidance.use_sjc", False)]},
        "field": latent_voxels(public) if system["geometry_type"] == "volume-grid" else hash_grid(public),
    }
    kind = expected["objective"]["kind"]
    if kind != "csd":
        expected["prior"] = community(system["guidance.pretrained_model_name_or_path"])
    if kind not in ("csd", "sjc"):
        expected["posterior"] = {"posterior.sample()": "sample"}[system["guidance.encode_images"]]
    objective(public, expected)
    return expected


def first(value):
    return value[0] if isinstance(value, list) else value


def cameras(public):
    sizes, milestones = public["data.width"], public.get("data.resolution_milestones", [])
    assert public["data.height"] == sizes
    jitter = [public[f"data.{what}_perturb"] for what in ("camera", "center", "up")]
    samples = public["system.renderer.num_samples_per_ray"]  # of the diagonal of the scene's cube
    if public["system.geometry_type"] == "volume-grid":
        samples = approx(samples / 1.732, abs=0.5)  # of a side
    if milestones:
        sizes = [[step, size] for step, size in zip([0, *milestones], sizes, strict=True)]
    return {
        "distance": public["data.camera_distance_range"],
        "fovy_deg": public["data.fovy_range"],
        "elevation_deg": public["data.elevation_range"],
        "size": sizes,
        "samples_per_ray": samples,
        "jitter": dict(zip(("position", "center", "up"), jitter, strict=True)) if any(jitter) else None,
        "front_back_steps": public.get("data.front_back_only_iters", 0),
    }


def view_prompts(public):
    texts = public.below("system.prompt_processor.")
    places = ("front", "side", "back", "overhead")
    prefixed = texts["view_dependent_prompt_front"]
    templates = {place: texts[f"directions.{place}"].replace("{s}", "{prompt}") for place in places}
    assert prefixed == templates["front"].endswith("{prompt}")
    pushes = {
        "weights": "luciddreamer" if "perp_neg.front_side" in public else "threestudio",
        # CSD's scale of the pushes; asynchronous ASD's is negative, on weights without their sign
        "factor": public.get("system.guidance.perpneg_scale", -public.get("system.guidance.guidance_perp_neg", -1.0)),
    }
    return {
        "templates": templates,
        "front_deg": texts["front_threshold"],
        "back_deg": 180 - texts["back_threshold"],
        "overhead_deg": texts["overhead_threshold"],
        "perp_neg": pushes if texts["use_perp_neg"] else False,
        "negative_prompt": texts["negative_prompt"],
    }


def grid(encoding):
    return {
        "levels": encoding["n_levels"],
        "features": encoding["n_features_per_level"],
        "log2_table": encoding["log2_hashmap_size"],
        "base_resolution": encoding["base_resolution"],
        "growth": encoding["per_level_scale"],
    }


def rates(public, group, parts):
    """The learning rates of the parts of a group of parameters: their own, the group's, or that of all."""
    own = public.below(f"system.optimizer.params.{group}")
    rest = public.get("system.optimizer.args.lr")
    return [own.get(f".{part}.lr", own.get(".lr", rest)) for part in parts]


def hash_grid(public):
    geometry = public.below("system.geometry.")
    encoding = public.below("system.geometry.pos_encoding_config.")
    progressive = encoding["otype"] == "ProgressiveBandHashGrid"
    normals = {"finite_difference": "finite_differences"}.get(geometry["normal_type"], geometry["normal_type"])
    encoding_lr, density_lr, color_lr = rates(public, "geometry", ("encoding", "density_network", "feature_network"))
    assert density_lr == color_lr
    assert public["system.geometry_type"] == "implicit-volume" and geometry["density_bias"] == "blob_magic3d"
    assert public["system.renderer.grid_prune"] is True
    return {
        "kind": "hash_grid",
        "bound": geometry["radius"],
        "encoding": grid(encoding) | {
            "progressive": {
                "start_level": encoding["start_level"], "start_step": encoding["start_step"],
                "every": encoding["update_steps"],
            } if progressive else None
        },
        "hidden": geometry["mlp_network_config.n_neurons"],
        "blob_scale": geometry["density_blob_scale"],
        "blob_radius": geometry["density_blob_std"],
        "normals": normals and {
            "kind": normals,
            **({"epsilon": geometry["finite_difference_normal_eps"]} if normals == "finite_differences" else {}),
        },
        "material": material(public),
        "background": background(public),
        "occupancy_resolution": public["system.renderer.occupancy_resolution"],
        "occupancy_every": public["nerfacc.update_every_n_steps.n"],
        "encoding_lr": encoding_lr,
        "network_lr": density_lr,
    }  # fmt: skip


def material(public):
    own = public.below("system.material.")
    if public["system.material_type"] == "no-material":
        assert own["color_activation"] == "sigmoid"
        return None
    return {
        "albedo_only_steps": own["ambient_only_steps"],
        "lit_probability": own["diffuse_prob"],
        "textureless_probability": own["textureless_prob"],
        "textureless_as": "normals" if own.get("textureless_normal") else "lit_white",
        "ambient": first(own["ambient_light_color"]),
        "diffuse": first(own["diffuse_light_color"]),
        "light_distance": public["data.light_distance_range"],
    }


def background(public):
    own = public.below("system.background.")
    assert public["system.background_type"] == "neural-environment-map-background"
    assert own["color_activation"] == "sigmoid"
    mapped = {"random_color_probability": own["random_aug_prob"] * own["random_aug"]}
    encoding_lr, network_lr = rates(public, "background", ("encoding", "network"))
    if own["dir_encoding_config.otype"] == "SphericalHarmonics":
        return mapped | {"kind": "spherical_harmonics", "lr": network_lr}
    encoding = grid(public.below("system.background.dir_encoding_config."))
    return mapped | {"kind": "hash_grid", "encoding": encoding, "encoding_lr": encoding_lr, "lr": network_lr}


def latent_voxels(public):
    sides = public["system.geometry.grid_size"]
    assert len(set(sides)) == 1
    assert public["system.geometry.n_feature_dims"] == 4  # channels of the latents
    assert public["system.geometry.normal_type"] is None
    assert public["system.material_type"] == "no-material"
    assert public["system.material.color_activation"] == public["system.background.color_activation"] == "none"
    assert public["system.background_type"] == "textured-background"
    assert public["system.background.height"] == public["system.background.width"]
    assert public["system.renderer.grid_prune"] is False  # no occupancy grid
    (grid_lr,), (background_lr,) = rates(public, "geometry", ("grid",)), rates(public, "background", ("map",))
    return {
        "kind": "latent_voxels",
        "resolution": sides[0],
        "bound": public["system.geometry.radius"],
        "density_bias": public["system.geometry.density_bias"],
        "background_resolution": public["system.background.height"],
        "grid_lr": grid_lr,
        "background_lr": background_lr,
    }


def objective(public, expected):
    """Add the settings of the objective, which differ from kind to kind."""
    settings, guidance = expected["objective"], public.below("system.guidance.")
    kind = settings["kind"]
    settings["t_range"] = [guidance["min_step_percent"], guidance["max_step_percent"]]
    if kind != "csd":
        assert guidance.get("weighting_strategy", "sds") == "sds"
        settings["guidance_scale"] = guidance["guidance_scale"]
        if "noise_pred" in guidance:  # which is e_null + (s + 1) D
            assert guidance["noise_pred"] == "e_text + guidance_scale * (e_text - e_null)"
            settings["guidance_scale"] += 1
    if kind in ("jsd", "sdi"):
        settings["inversion_scale"] = guidance["inversion_guidance_scale"]
        settings["inversion_steps"] = guidance["inversion_n_steps"]
        settings["inversion_eta"] = guidance["inversion_eta"]
    if kind == "jsd":
        settings["k"], settings["warm_up"] = guidance["k"], guidance["warm_step"]
    if kind == "csd":
        assert (guidance["weighting_strategy"], guidance["grad_normalize"]) == ("uniform", True)
        start, low, high, end = guidance["uncond_scale"]
        assert guidance["null_scale"] == [start, -1 - low, -1 - high, end]
        settings["negative_share"] = [start, -low, -high, end]
        settings["negative_prompt"] = expected["view_prompts"].pop("negative_prompt")
        settings["unit_norm"] = guidance["grad_normalize"]
    if kind in ("vsd", "asd-adversarial"):
        settings["adapter"] = {"model": community(guidance["pretrained_model_name_or_path_lora"])}
        assert guidance["scheduler_lora.prediction_type"] == "v_prediction"
        settings["adapter_loss"] = "velocity"
        settings["adapter_lr"] = public["system.optimizer.params.guidance.lr"]
        settings["adapter_optimizer"] = {k: v for k, v in expected["optimizer"].items() if k != "kind"}
        settings["camera_dropout"] = guidance["train_lora.uncond_prob"]
    if kind == "asd-adversarial":
        settings["gamma"] = guidance["gamma"]
    if kind == "asd-asynchronous":
        settings["shift"] = guidance["plus_ratio"]


def luciddreamer(public):
    guidance, camera = public.below("GuidanceParams."), public.below("GenerateCamParams.")
    low, high, warm_up = *guidance["t_range"], public["OptimizationParams.warmup_iter"]
    assert guidance["inverse_text"] == "" and guidance["annealing_intervals"]
    assert (guidance["denoise_guidance_scale"], guidance["xs_eta"]) == (1.0, 0.0)  # the inversion is not guided
    assert public["texts"] == ["front", "side", "back"] and camera["jitter_pose"]
    assert public["loss.reduction"] == "sum over elements and views"
    template = public["texts.template"].replace("{s}", "{prompt}")
    top, bottom = camera["max_theta_range"]  # degrees from the zenith
    return {
        "prior": community(guidance["model_key"]),
        "posterior": {"posterior.sample()": "sample"}[public["encode_imgs"]],
        "reduction": "sum",
        "objective_weight": approx(guidance["lambda_guidance"] * guidance["C_batch_size"]),  # views are averaged here
        "steps": public["OptimizationParams.iterations"],
        "views_per_step": guidance["C_batch_size"],
        "regularizers": dict.fromkeys(LOSSES, 0),
        "optimizer": {
            "kind": public["optimizer.name"].lower(),
            **{key: public[f"optimizer.{key}"] for key in ("betas", "eps", "weight_decay")},
        },
        "cameras": {
            "distance": camera["max_radius_range"],
            "fovy_deg": approx([math.degrees(angle) for angle in camera["max_fovy_range"]], abs=0.01),
            "elevation_deg": [90 - bottom, 90 - top],
            "size": camera["image_w"],
            "jitter": {
                "position": camera["jitter_center"] / 2,  # there the width of the interval
                "center": camera["jitter_target"],
                "up": camera["jitter_up"],
            },
            "front_back_steps": 0,
        },
        "view_prompts": {
            "templates": {place: template.replace("{d}", place) for place in public["texts"]},
            "interpolate": not guidance["perpneg"],
            "perp_neg": guidance["perpneg"],
            "negative_prompt": guidance["inverse_text"],
        },
        "objective": {
            "kind": "ism",
            "guidance_scale": guidance["guidance_scale"],
            "negative_prompt": guidance["negative"],
            "t_range": [low, [0, guidance["max_t_range"], high, warm_up]],
            "interval": [0, guidance["delta_t_start"], guidance["delta_t"], warm_up],
            "inversion_steps": guidance["xs_inv_steps"],
            "inversion_stride": guidance["xs_delta_t"],
            "one_based": public["timesteps.steps_offset"] == public["iteration.first"] == 1,
        },
        "field": fields_of_vsd() | {"background.random_color_probability": public["ModelParams.bg_aug_ratio"]},
    }


def fields_of_vsd():
    field = leaves(load_recipe("published/vsd").field.model_dump())
    return {key: value for key, value in field.items() if not key.startswith("background.")}


def dive3d(public):
    low, high = public["t_range"]
    last = public["t5_iters"] - public["global_step.first"]  # the first step, counted from 0, of the lower end
    lit_steps, of = public["shading.lit_steps"]
    lit = 1 - public["shading.albedo_share"]
    top, bottom = public["theta_range"]  # degrees from the zenith
    grid_rate, network_rate, background_rate = (
        public["lr"] * public[f"{part}.lr_factor"] for part in ("encoder", "network", "background")
    )
    levels, base = public["encoder.num_levels"], public["encoder.base_resolution"]
    template = public["texts.template"].replace("{s}", "{prompt}")
    assert public["loss.reduction"] == "sum" and public["noise_pred"].startswith("e_text + scale")
    assert (public["v_pred"], public["sd_version"], public["fp16"], public["jitter_pose"]) == (False, 2.1, False, False)
    assert (public["n_particles"], public["unet_bs"], public["K"]) == (1, 1, 1)
    assert (public["lambda_opacity"], public["lambda_tv"]) == (0, 0)
    assert public["density_activation"] == "softplus" and public["background.hidden"] == [16, 2]
    assert public["unet_optimizer.name"] == "AdamW"
    assert public["shading.light"].endswith("at infinity")
    return {
        "prior": community(public["unet.model"]),
        "posterior": {"posterior.sample()": "sample"}[public["encode_imgs"]],
        "reduction": public["loss.reduction"],
        "steps": public["iters"],
        "views_per_step": public["n_particles"],
        "regularizers": dict.fromkeys(LOSSES, 0),
        "optimizer": {
            "kind": public["optim"],
            **{key: public[f"optimizer.{key}"] for key in ("betas", "eps", "weight_decay")},
        },
        "cameras": {
            "distance": public["radius_range"],
            "fovy_deg": public["fovy_range"],
            "elevation_deg": [90 - bottom, 90 - top],
            "size": public["h"],
            "jitter": None,
            "front_back_steps": 0,
        },
        "view_prompts": {
            "templates": {place: template.replace("{d}", place) for place in ("front", "side", "back", "overhead")},
            "front_deg": public["angle_front"] / 2,
            "back_deg": 180 - public["angle_front"] / 2,
            "overhead_deg": 90 - public["angle_overhead"],
            "perp_neg": False,
            "negative_prompt": public["negative"],
        },
        "objective": {
            "kind": "sim",
            "guidance_scale": public["scale"] + 1,
            "t_range": [low, [last - 1, high, public["t5.max"] / 1000, last]],
            "adapter_loss": "noise",
            "adapter_lr": public["unet_lr"],
            "adapter_optimizer": {key: public[f"unet_optimizer.{key}"] for key in ("betas", "eps", "weight_decay")},
            "camera_dropout": public["uncond_p"],
            "until": public["sim.last_epoch"] * public["per_iter"] / public["iters"],
        },
        "field": {
            "kind": "hash_grid",
            "bound": public["bound"],
            "encoding": {
                "levels": levels,
                "features": public["encoder.level_dim"],
                "log2_table": public["encoder.log2_hashmap_size"],
                "base_resolution": base,
                "growth": approx((public["desired_resolution"] / base) ** (1 / (levels - 1)), rel=1e-12),
                "progressive": None,
            },
            "blob_scale": public["blob_density"],
            "blob_radius": public["blob_radius"],
            "normals": {"kind": "finite_differences", "epsilon": public["normals.epsilon"]},
            "material": {
                "albedo_only_steps": public["shading.albedo_until"],
                "lit_probability": approx(lit * lit_steps / of),
                "textureless_probability": approx(public["shading.textureless_share"] / lit),
                "textureless_as": "lit_white",
                "ambient": public["shading.ambient_ratio"],
                "diffuse": 1 - public["shading.ambient_ratio"],
                "light_distance": [100, 100],  # the largest there is here
            },
            "background": {"lr": background_rate, "random_color_probability": public["background.random_share"]},
            "encoding_lr": grid_rate,
            "network_lr": network_rate,
        },
    }


def paper_of_nfsd(public):
    kept = load_recipe("published/vsd").model_dump(exclude={"source", "unpublished", "objective", "steps", "prior"})
    return kept | {
        "prior": community(public["prior"]),
        "steps": public["iterations"],
        "objective": {
            "kind": "nfsd",
            "guidance_scale": public["guidance_scale"],
            "t_range": public["t_range"],
            "negative_prompt": public["negative_prompt"],
        },
    }


MAPPINGS = {"ism": luciddreamer, "sim": dive3d, "nfsd": paper_of_nfsd}


def test_the_table_has_what_it_takes_to_look_again():
    assert list(ROWS[0]) == COLUMNS
    assert len({(row["recipe"], row["key"]) for row in ROWS}) == len(ROWS)
    assert {row["recipe"] for row in ROWS} == set(PUBLISHED)
    for row in ROWS:
        assert row["file"] and (row["line"].isdigit() or row["line"] == "")
        assert bool(row["line"]) <= bool(row["repository"] and row["commit"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_recipe_is_its_public_configuration(name):
    public = Public({row["key"]: parsed(row["value"]) for row in ROWS if row["recipe"] == name}, set())
    expected = leaves(MAPPINGS.get(name, threestudio)(public))
    found = leaves(load_recipe(f"published/{name}").model_dump(exclude={"source", "unpublished"}))
    assert {key: found.get(key, "no such key") for key in expected} == expected

    rest = {key: value for key, value in found.items() if key not in expected}
    assert {key: value for key, value in rest.items() if key in NEUTRAL}.items() <= NEUTRAL.items()
    assert set(rest) - set(NEUTRAL) == set(OURS.get(name, {}))

    absent = NOT_HERE.get(name, {})
    fixed = {key: value for key, value in FIXED.items() if key in public and key not in absent}
    assert {key: public[key] for key in fixed} == fixed
    assert set(public) - public.was_read - set(NOT_HERE[""]) == set(absent)


def test_what_is_not_the_published_scene_says_so():
    assert {name for name in PUBLISHED if load_recipe(f"published/{name}").unpublished} == {"csd", "ism", "nfsd", "sim"}


@pytest.mark.parametrize("name", ["vsd", "asd-adversarial"])
@pytest.mark.parametrize(("folder", "word"), [("none", "none"), ("other", "in_channels")])
def test_an_adapter_that_is_missing_or_of_other_latents_is_refused(name, folder, word, refusal, tmp_path):
    tiny_models.diffusion(tmp_path / "other")
    adapter = {"objective": {"adapter": {"model": str(tmp_path / folder)}}}
    config = tiny.config(tmp_path) | {"methods": {"theirs": {"recipe": f"published/{name}", "override": adapter}}}
    said = refusal("check", path := tiny.write(tmp_path / "c.yaml", config))
    assert said.startswith(f"{path}: methods.theirs: objective.adapter: ") and word in said


@pytest.mark.parametrize("name", ["jsdlr", "sjc", "vsd", "ism", "sdi", "sim", "nfsd", "asd-adversarial"])
def test_a_prior_of_other_images_or_latents_is_refused(name, refusal, tmp_path):
    """The miniature's images have 64 pixels a side, and its latents 8 channels."""
    config = tiny.config(tmp_path) | {"methods": {"theirs": {"recipe": f"published/{name}"}}}
    said = refusal("check", path := tiny.write(tmp_path / "c.yaml", config))
    assert said.startswith(f"{path}: methods.theirs: ") and ("channels" if name == "sjc" else "512") in said
