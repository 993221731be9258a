"""What the scores of single assets share: their views, what is kept from an earlier run, files and manifest."""

from collections.abc import Callable
from typing import Any

from jsdpipe.base.files import read_fitting, sha256, write_json
from jsdpipe.base.progress import progress
from jsdpipe.base.provenance import provenance
from jsdpipe.config.prompts import Prompt
from jsdpipe.pipeline.fingerprints import code, fingerprint
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.manifests import asset_record, read_manifest, write_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.render.view_archive import ViewArchive

# raised with every change that moves a score of the same mesh: do not compare numbers of two versions
PROTOCOL_VERSION = 1

Numbers = dict[str, Any]
# of a prompt, a seed, and the asset's views (None if it failed): the record's numbers, and details by view; a "reason"
# among the numbers marks an asset that fails here
Score = Callable[[Prompt, int, ViewArchive | None], tuple[Numbers, Numbers]]


def origin(device: str, **models: str) -> dict[str, Any]:
    """The provenance of scores that these models (role to identity) gave on a device."""
    return provenance(device, **models) | {"protocol_version": PROTOCOL_VERSION}


def score_assets(
    run: Run, shard: Shard, stage: str, device: str, depends: dict[str, Any], models: dict[str, str], of: Score
) -> None:
    """Score each asset of a shard by `of`; write `<stage>.json` beside it, and the manifest.

    An asset whose `<stage>.json` was made of the same views, prompt, seed, `depends` and `models` (role to identity) on
    the same device is not scored again, unless it failed here.
    """
    assets = list(shard.assets())
    by = code(run, stage, shard)
    records = []
    with progress(f"{stage} {shard.name}", len(assets)) as advance:
        for (prompt, seed), before in zip(assets, read_manifest(run, "render", shard), strict=True):
            reason = before["reason"]
            path = run.layout.asset(shard.key(prompt.id, seed)) / f"{stage}.json"
            views = run.layout.views(shard, prompt.id, seed)
            source = None if reason else sha256(views)
            expected = fingerprint(by, source, prompt.text, [run.config.seed, seed], depends, models, device)
            done = read_fitting(path, expected)
            if done is None or done["record"].get("reason"):
                record, details = of(prompt, seed, None if reason else ViewArchive(views, stage))
                done = {"fingerprint": expected, "record": record, "views": details}
                write_json(path, done | {"protocol_version": PROTOCOL_VERSION})
            records.append(asset_record(prompt, seed, **{"reason": reason, **done["record"]}))
            advance()
    write_manifest(run, stage, shard, records, origin(device, **models))
