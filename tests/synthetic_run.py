"""A small run folder written with the package's own models and manifests, with values chosen by the test."""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from safetensors.numpy import save_file

from jsdpipe.base.files import write_json
from jsdpipe.config.prompts import Prompt
from jsdpipe.config.run_config import resolve
from jsdpipe.pipeline.layout import AssetKey
from jsdpipe.pipeline.manifests import asset_record, write_manifest
from jsdpipe.pipeline.run import Run

PROVENANCE = {
    "jsdpipe": "0.1",
    "commit": "f" * 40,
    "python": "3.11",
    "libraries": {"torch": "2.14.1"},
    "device": "cpu",
    "models": {"reward": "miniature-clip"},
}
DISTANCES = ("chamfer", "color_error", "silhouette", "parts", "f_score", "colored_f_score")
Numbers = Callable[[str, str, str, int], dict[str, Any]]


def make_run(
    folder: Path,
    sets: dict[str, list[str]],
    methods: Iterable[str] = ("jsd", "sds"),
    seeds: Iterable[int] = (0, 1),
    numbers: Numbers = lambda method, part, prompt, seed: {},
    labels: dict[str, str] | None = None,
    without: Collection[str] = (),
    truth: bool = False,
    settings: dict[str, dict[str, Any]] | None = None,
    prior: str = "miniature",
    unet_samples: int | None = None,
    **report: Any,
) -> Run:
    """Write a finished run. `numbers(method, set, prompt, seed)` overrides an asset's
    quality, alignment, caption, similarity, r_precision, recognition, steps, unet_samples, history, reason (marks it as
    failed, at the stage `failed_at`), notes (by stage) and, with the first seed, the prompt's iq, iv_per_view, iv,
    cosine (also that of every two seeds); and chamfer, color_error, silhouette, parts, f_score, colored_f_score and
    features (2,), beside instances in the unit square. `without` names sections that the configuration leaves out;
    `truth` adds the section of that name. `settings` are those of the methods, in place of SDS on the miniature.
    """
    seeds = list(seeds)
    sections = {
        "quality": {"reward": {"kind": "miniature-clip"}},
        "alignment": {"captioner": {"kind": "miniature"}, "judge": {"kind": "attributes"}},
        "diversity": {"classifier": {"kind": "miniature"}, "features": {"kind": "miniature"}},
        "study": {},
        **({"truth": {}} if truth else {}),
    }
    config = {
        "run": "synthetic",
        "seeds": seeds,
        "sets": {name: {"file": str(folder / f"{name}.txt")} for name in sets},
        "methods": settings
        or {name: {"recipe": "miniature/sds", "label": (labels or {}).get(name)} for name in methods},
        "prior": {"model": prior},
        "generation": {"shard_assets": 4, "batch_assets": 2, "preview_views": 4, "unet_samples": unet_samples},
        "mesh": {"resolution": 32, "threshold": "auto"},
        "render": {
            "size": 64,
            "quality": {"subdivision": 0, "radius": 2.2, "fovy_deg": [45.0]},
            "alignment": {"subdivision": 0, "radius": 4.84, "fovy_deg": 60.0},
            "diversity": {"views": 8, "elevation_deg": 15.0, "distance": 1.5, "fovy_deg": 70.0},
        },
        **{name: section for name, section in sections.items() if name not in without},
        "report": {"title": "A synthetic run", "bootstrap": 500, "turntable_views": 4, **report},
    }
    folder.mkdir(parents=True)
    for name, prompts in sets.items():
        (folder / f"{name}.txt").write_text("\n".join(prompts), encoding="utf-8")
    run = Run.of(resolve(config), folder)
    run.save()
    for shard in run.shards():
        stages: dict[str, list[dict[str, Any]]] = {}
        for prompt, seed in shard.assets():
            values = {
                "quality": 50.0,
                "alignment": 75.0,
                "caption": "a thing",
                "similarity": 25.0,
                "r_precision": 0.75,
                "recognition": 0.5,
                "reason": None,
                "notes": {},
                "failed_at": "generate",
                "steps": 100,
                "unet_samples": 400,
                "history": [],
                **dict.fromkeys(DISTANCES, 0.5),
                "features": (0.5, 0.5),
            } | numbers(shard.method, shard.set, prompt.text, seed)
            _asset(run, stages, shard.method, shard.set, prompt, seed, values)
        for stage, records in ((stage, of) for stage, of in stages.items() if stage in run.config.stages):
            scored = {"protocol_version": 1} if stage in ("quality", "alignment") else {}
            write_manifest(run, stage, shard, records, PROVENANCE | scored)
        if "diversity" not in without:
            of_prompts = [_prompt(shard.method, shard.set, prompt, shard.seeds, numbers) for prompt in shard.prompts]
            write_manifest(run, "diversity", shard, of_prompts, PROVENANCE | {"protocol_version": 1})
    if "study" not in without:
        _study(run.layout.study)
    return run


def benchmark(run: Run, seconds: float) -> None:
    """Write the benchmark files of the stages `generate` and `mesh`, all with the same time."""
    for stage in ("generate", "mesh"):
        for shard in run.shards():
            path = run.layout.benchmark(stage, shard)
            path.parent.mkdir(parents=True, exist_ok=True)
            memory = "512.5" if stage == "generate" else "-"
            path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t{memory}\n")


def _study(folder: Path) -> None:
    """Both sections of a study, with a figure or two and a table of one row each."""
    cell = {"text": "<1>", "aside": "", "best": True, "link": "", "color": ""}
    sections = []
    for name, count in (("divergences", 2), ("objectives", 1)):
        table = {"name": name, "caption": "A <table>.", "header": ["h"], "labels": 1, "rows": [[cell]]}
        files = [f"{name}-{number}.png" for number in range(count)]
        figures = [{"file": file, "title": "T", "caption": f"What <{name}> shows."} for file in files]
        sections.append({"name": name, "heading": name, "text": ["A & B."], "figures": figures, "table": table})
        for file in (*files, *(f"{name}.{kind}" for kind in ("csv", "md", "tex"))):
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_bytes(b"")
    write_json(folder / "study.json", sections)


def _asset(
    run: Run, stages: dict[str, Any], method: str, part: str, prompt: Prompt, seed: int, values: dict[str, Any]
) -> None:
    reason, order = values["reason"], ("generate", "mesh", "render", "quality", "alignment", "truth")
    of_stage: dict[str, dict[str, Any]] = {
        "generate": {name: values[name] for name in ("steps", "unet_samples") if values[name] is not None},
        "mesh": {"vertices": 120, "faces": 236, "watertight": True, "components": 1},
        "render": {},
        "quality": {"quality": values["quality"], "best_view": 3, "reward_mean": 0.25},
        "alignment": {
            "alignment": values["alignment"],
            "grade": None if values["alignment"] is None else int(values["alignment"] / 25 + 1),
            **{name: values[name] for name in ("caption", "similarity", "r_precision")},
        },
        "truth": {name: values[name] for name in DISTANCES},
    }
    failed = reason and values["failed_at"] != "alignment"
    if failed:
        of_stage["mesh"] = {}
        of_stage["alignment"] |= {"caption": ""}
    for stage in order:
        since = reason if reason and order.index(stage) >= order.index(values["failed_at"]) else None
        stages.setdefault(stage, []).append(
            asset_record(prompt, seed, since, values["notes"].get(stage, ()), **of_stage[stage])
        )
    folder = run.layout.asset(AssetKey(method, part, prompt.id, seed))
    ungenerated = failed and values["failed_at"] == "generate"
    report = {"status": "failed" if ungenerated else "ok", "steps": values["steps"], "history": values["history"]}
    write_json(folder / "asset.json", report)
    if run.config.truth:
        described = {"instances": np.random.default_rng(0).random((16, 2), np.float32)}
        if not failed:
            described["features"] = np.array(values["features"], np.float32)
        save_file(described, folder / "truth.safetensors")
    if not failed:
        draw(folder, seed)


def draw(folder: Path, seed: int) -> None:
    """A turntable of four frames, whose first is a red square on black, a preview, and a mesh of four bytes."""
    frames = []
    for turn in range(4):
        frame = Image.new("RGB", (64, 64))
        ImageDraw.Draw(frame).rectangle((16 + turn, 16, 47, 47), fill=(255, 40 * turn, 20 * (seed % 10)))
        frames.append(frame)
    frames[0].save(folder / "turntable.webp", save_all=True, append_images=frames[1:], lossless=True, duration=80)
    Image.new("RGB", (256, 64), "teal").save(folder / "preview.png")
    (folder / "mesh.glb").write_bytes(b"glTF")


def _prompt(method: str, part: str, prompt: Prompt, seeds: tuple[int, ...], numbers: Numbers) -> dict[str, Any]:
    values = {seed: {"recognition": 0.5, "reason": None} | numbers(method, part, prompt.text, seed) for seed in seeds}
    ok = [seed for seed in seeds if not values[seed]["reason"]]
    known = {"iq": 0.5, "iv_per_view": 0.6, "iv": 0.7, "cosine": 0.9}
    diversity = {name: values[seeds[0]].get(name, value) if len(ok) > 1 else None for name, value in known.items()}
    alike = [[1.0 if a == b else diversity["cosine"] for b in ok] for a in ok]
    return {
        "prompt_id": prompt.id,
        "prompt": prompt.text,
        "seeds": list(seeds),
        "failed_seeds": [seed for seed in seeds if seed not in ok],
        "recognition": (
            None if values[seeds[0]]["recognition"] is None else {str(seed): values[seed]["recognition"] for seed in ok}
        ),
        **diversity,
        "similarities": alike if len(ok) > 1 else None,
    }
