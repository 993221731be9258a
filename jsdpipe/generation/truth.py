"""The stage `generate` of the truth: there is nothing to make, because the mesh follows from prompt and seed."""

from jsdpipe.base.files import write_json
from jsdpipe.base.provenance import provenance
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.manifests import asset_record, write_manifest
from jsdpipe.pipeline.run import Run


def record(run: Run, shard: Shard) -> None:
    """Write each asset's `asset.json` and the shard's manifest."""
    records = []
    for prompt, seed in shard.assets():
        report = run.layout.asset(shard.key(prompt.id, seed)) / "asset.json"
        write_json(report, {"status": "ok", "reason": None, "truth_of": prompt.text})
        records.append(asset_record(prompt, seed))
    write_manifest(run, "generate", shard, records, provenance())
