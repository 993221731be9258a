"""The captions of views, most of what an alignment costs: kept by what they alone depend on."""

from jsdpipe.base.files import read_fitting, sha256, write_json
from jsdpipe.base.progress import progress
from jsdpipe.base.seeding import seed_of
from jsdpipe.models.roles import CAPTIONERS
from jsdpipe.pipeline.fingerprints import code, fingerprint
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.render.view_archive import read_views
from jsdpipe.scoring.assets import PROTOCOL_VERSION


def caption_assets(run: Run, shard: Shard, device: str) -> tuple[dict[tuple[str, int], list[str]], str]:
    """The captions of every whole asset's alignment views, by prompt id and seed; and the captioner's identity.

    An asset's `captions.json` keeps them, whoever judges them and whatever other prompts its set has. The captioner is
    out of memory when this returns, because a local judge is about as large.
    """
    assert run.config.alignment is not None
    captioner = CAPTIONERS.load(run.config.alignment.captioner, device)
    by = code(run, "captions", shard)
    found: dict[tuple[str, int], list[str]] = {}
    assets = list(shard.assets())
    with progress(f"captions {shard.name}", len(assets)) as advance:
        for (prompt, seed), before in zip(assets, read_manifest(run, "render", shard), strict=True):
            if before["reason"] is None:
                path = run.layout.asset(shard.key(prompt.id, seed)) / "captions.json"
                views = run.layout.views(shard, prompt.id, seed)
                draws = seed_of(run.config.seed, prompt.id, seed, "captions")  # of equal views the same by any method
                expected = fingerprint(by, sha256(views), draws, captioner.identity, device)
                done = read_fitting(path, expected)
                if done is None:
                    captions = captioner.caption(read_views(views, "alignment"), draws)
                    done = {"fingerprint": expected, "protocol_version": PROTOCOL_VERSION, "captions": captions}
                    write_json(path, done)
                found[prompt.id, seed] = done["captions"]
            advance()
    return found, captioner.identity
