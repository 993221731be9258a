"""The stage `generate` of a control: find the mesh of another method that each asset is made from."""

import sys

from jsdpipe.base.files import sha256, write_json
from jsdpipe.base.provenance import provenance
from jsdpipe.config.control import Control
from jsdpipe.pipeline.layout import AssetKey, Shard
from jsdpipe.pipeline.manifests import asset_record, read_manifest, write_manifest
from jsdpipe.pipeline.run import Run


def record(run: Run, shard: Shard) -> None:
    """Write each asset's `asset.json`, with the hash of the mesh that it is made from, and the shard's manifest.

    A note says which prompt's mesh it is, if it is another's, or that there is no part to leave out. An asset of which
    there is no mesh is a failed record.
    """
    method = run.config.methods[shard.method]
    assert isinstance(method, Control)
    failures = _failures(run, *method.made_from(run, shard))
    records, failed = [], []
    for prompt, seed in shard.assets():
        part, shown = method.shown_prompt(run, shard.set, prompt)
        key = method.shown_asset(run, shard, prompt, seed)
        reason, files = failures.get(key), {}
        if reason:
            failed.append(reason := f"{key}: {reason}")
        elif not method.draws_truth(run):
            files = {"mesh.glb": sha256(run.layout.asset(key) / "mesh.glb")}
        notes = [] if shown == prompt else [f"Shows {shown.text!r} of the set {part}, on purpose."]
        notes += ["Is whole, because a single thing has no part to leave out."] if method.spares(prompt) else []
        content = {"status": "failed" if reason else "ok", "reason": reason, "shows": str(key), "files": files}
        write_json(run.layout.asset(shard.key(prompt.id, seed)) / "asset.json", content)
        records.append(asset_record(prompt, seed, reason, notes))
    if failed:
        print(f"generate {shard.name}: {len(failed)} of {len(records)} failed, first: {failed[0]}", file=sys.stderr)
    write_manifest(run, "generate", shard, records, provenance())


def _failures(run: Run, *shards: Shard) -> dict[AssetKey, str]:
    """Why assets of these shards have no mesh."""
    return {
        shard.key(record["prompt_id"], record["seed"]): record["reason"]
        for shard in shards
        for record in read_manifest(run, "mesh", shard)
        if record["reason"]
    }
