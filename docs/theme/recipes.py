"""Tables of the package's recipes, in place of `<!-- recipes: scene -->` and the like in `methods.md`.

They show the recipes' keys as they stand, so that the page cannot differ from them, and need no PyTorch.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from jsdpipe.config.recipes import names, read_recipe

PLACE = re.compile(r"^<!-- recipes: (\w+) -->$", re.MULTILINE)
NONE = "-"
Keys = Mapping[str, Any]
Columns = dict[str, Callable[[Keys], str]]


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A page's Markdown with its tables."""
    return PLACE.sub(lambda place: table(place[1]), markdown)


def table(topic: str) -> str:
    """One of the tables: of objectives, with both families side by side, or of what all controlled recipes share."""
    columns, published = TOPICS[topic], [name for name in names() if name.startswith("published/")]
    rows = {name: read_recipe(name).keys for name in published}
    if topic == "unpublished":
        rows = {name: keys for name, keys in rows.items() if keys.get("unpublished")}
    elif topic == "objective":
        rows |= {name: read_recipe(name).keys for name in names() if name.startswith("controlled/")}
        rows = dict(sorted(rows.items(), key=lambda row: (row[1]["objective"]["kind"], row[0])))
    else:
        rows = {"controlled": read_recipe("controlled/jsd").keys} | rows
    lines = [["recipe", *columns], ["---"] * (len(columns) + 1)]
    lines += [[f"`{name}`", *(show(keys) for show in columns.values())] for name, keys in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shown(value: Any) -> str:
    """A number, a schedule, a range, a mapping or a text in a few words."""
    match value:
        case None:
            return NONE
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return f"{value:,.0f}" if value >= 1000 else f"{value:g}"
        case [start, first, last, end]:
            if end == start + 1:
                return f"{shown(first)}, {shown(last)} from step {end:,}"
            return f"{shown(first)} → {shown(last)} {f'from step {start:,} to' if start else 'by step'} {end:,}"
        case [[_, _], *_]:
            return ", ".join(f"{pixels} from step {step:,}" if step else str(pixels) for step, pixels in value)
        case [low, high]:
            return shown(low) if low == high else f"{shown(low)} to {shown(high)}"
        case dict():
            return ", ".join(f"{key} {shown(item)}" for key, item in value.items() if item is not None)
        case _:
            return str(value)


def timesteps(objective: Keys) -> str:
    low, high = objective["t_range"]
    return f"[{shown(low)}; {shown(high)}]"


def further(objective: Keys) -> str:
    rest = {key: value for key, value in objective.items() if key not in ("kind", "guidance_scale", "t_range")}
    if "adapter_optimizer" in rest:
        rest["adapter_optimizer"] = adam(rest["adapter_optimizer"])
    return "; ".join(f"`{key}` {shown(value)}" for key, value in rest.items()) or NONE


def pushes(keys: Keys) -> str:
    perp_neg = keys["view_prompts"]["perp_neg"]
    factor = perp_neg.get("factor", 1) if perp_neg else 1
    return f"{perp_neg['weights']}{f', x {factor:g}' if factor != 1 else ''}" if perp_neg else NONE


def encoding(field: Keys) -> str:
    if "encoding" not in field:
        return " x ".join(3 * [str(field["resolution"])]) + " voxels of latents"
    grid = field["encoding"]
    finest = round(grid["base_resolution"] * grid["growth"] ** (grid["levels"] - 1))
    text = f"{grid['levels']} levels, {grid['base_resolution']} to {finest:,}"
    if bands := grid.get("progressive"):
        text += f"; {bands['start_level']} at first, one more every {bands['every']} steps from {bands['start_step']:,}"
    return text


def shading(field: Keys) -> str:
    material = field.get("material")
    if not material:
        return "albedo"
    without = "normals" if material.get("textureless_as") == "normals" else "lit white"
    lit, textureless = material["lit_probability"], material["textureless_probability"]
    return f"lit in {lit:g} of steps from step {material['albedo_only_steps']:,}; {textureless:g} of these {without}"


def background(field: Keys) -> str:
    if "background" not in field:
        return f"map of {field['background_resolution']} x {field['background_resolution']} latents"
    own = field["background"]
    random = own.get("random_color_probability", 0)
    return own["kind"].replace("_", " ") + (f"; {random:g} of steps a random color" if random else "")


def rates(field: Keys) -> str:
    if "grid_lr" in field:
        return f"grid {field['grid_lr']:g}, background {field['background_lr']:g}"
    own = field["background"]
    behind = f"{own['encoding_lr']:g} and {own['lr']:g}" if "encoding_lr" in own else f"{own['lr']:g}"
    return f"encoding {field['encoding_lr']:g}, networks {field['network_lr']:g}, background {behind}"


def optimizer(keys: Keys) -> str:
    own = {"kind": "adam", "betas": [0.9, 0.99], "eps": 1e-15, "weight_decay": 0.0} | keys.get("optimizer", {})
    return f"{own['kind']} {adam(own)}"


def adam(own: Keys) -> str:
    decay = f", decay {own['weight_decay']:g}" if own["weight_decay"] else ""
    return f"({own['betas'][0]:g}, {own['betas'][1]:g}), eps {own['eps']:g}{decay}"


def reduction(keys: Keys) -> str:
    weight = keys.get("objective_weight", 1.0)
    return keys.get("reduction", "mean") + (f" x {weight:g}" if weight != 1 else "")


def regularizers(keys: Keys) -> str:
    return "; ".join(f"{name} {shown(weight)}" for name, weight in keys.get("regularizers", {}).items()) or NONE


TOPICS: dict[str, Columns] = {
    "unpublished": {"what is not the public configuration's": lambda keys: keys["unpublished"]},
    "objective": {
        "scale": lambda keys: shown(keys["objective"].get("guidance_scale")),
        "timesteps, in shares": lambda keys: timesteps(keys["objective"]),
        "further": lambda keys: further(keys["objective"]),
        "Perp-Neg": pushes,
        "steps": lambda keys: f"{keys['steps']:,}",
        "views a step": lambda keys: str(keys.get("views_per_step", 1)),
    },
    "scene": {
        "scene": lambda keys: keys["field"]["kind"].replace("_", " "),
        "radius": lambda keys: shown(keys["field"]["bound"]),
        "grid": lambda keys: encoding(keys["field"]),
        "normals": lambda keys: shown((keys["field"].get("normals") or {}).get("kind")).replace("_", " "),
        "shading": lambda keys: shading(keys["field"]),
        "background": lambda keys: background(keys["field"]),
    },
    "cameras": {
        "distance": lambda keys: shown(keys["cameras"]["distance"]),
        "elevation": lambda keys: shown(keys["cameras"]["elevation_deg"]),
        "field of view": lambda keys: shown(keys["cameras"]["fovy_deg"]),
        "pixels": lambda keys: shown(keys["cameras"]["size"]),
        "steps a ray": lambda keys: shown(keys["cameras"]["samples_per_ray"]),
        "jitter": lambda keys: shown(keys["cameras"].get("jitter")),
        "front, back": lambda keys: (
            "interpolated"
            if keys["view_prompts"].get("interpolate") or keys["view_prompts"]["perp_neg"]
            else f"{keys['view_prompts']['front_deg']:g}, {keys['view_prompts']['back_deg']:g}"
        ),
        "text": lambda keys: keys["view_prompts"]["templates"]["back"].replace("{prompt}", "X"),
    },
    "optimization": {
        "optimizer": optimizer,
        "rates": lambda keys: rates(keys["field"]),
        "reduction": reduction,
        "regularizers": regularizers,
    },
}
