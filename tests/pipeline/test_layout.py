from itertools import product
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jsdpipe.config.prompts import Prompt, prompt_id
from jsdpipe.pipeline.layout import AssetKey, Layout, Shard, by_hand, shards

names = st.lists(st.sampled_from(["jsd", "sds", "vsd", "x.1"]), min_size=1, unique=True)
prompts = st.lists(st.text(min_size=1, max_size=5), max_size=12, unique=True).map(
    lambda texts: [Prompt(prompt_id(text), text) for text in texts]
)


@given(
    names,
    st.dictionaries(st.sampled_from(["single", "surr", "multi"]), prompts, min_size=1),
    st.lists(st.integers(0, 99), min_size=1, max_size=7, unique=True),
    st.integers(1, 20),
)
def test_every_asset_is_in_exactly_one_shard_with_all_seeds_of_its_prompt(methods, sets, seeds, shard_assets):
    found = shards(methods, sets, seeds, shard_assets)
    assets = [(s.method, s.set, prompt, seed) for s in found for prompt, seed in s.assets()]
    expected = [
        (method, name, prompt, seed)
        for method, name in product(methods, sets)
        for prompt in sets[name]
        for seed in seeds
    ]
    assert assets == expected
    assert all(shard.seeds == tuple(seeds) and shard.prompts for shard in found)
    assert all(len(shard.prompts) == 1 or len(shard.prompts) * len(seeds) <= shard_assets for shard in found)
    assert len({shard.name for shard in found}) == len(found)


def test_an_asset_made_by_hand_is_outside_of_any_run():
    assert by_hand("a-1", "published-jsdlr", 3) == Path("results/by-hand/a-1/published-jsdlr/seed3")


def test_paths_by_hand():
    layout = Layout(Path("results/r"))
    shard = Shard("jsd", "single", 7, (), (0,))
    assert layout.run_json == Path("results/r/run.json")
    assert layout.manifest("mesh", shard) == layout.manifest("mesh", "jsd/single/007")
    assert layout.manifest("mesh", shard) == Path("results/r/mesh/jsd/single/007.json")
    assert layout.asset(AssetKey("jsd", "single", "a-1", 3)) == Path("results/r/assets/jsd/single/a-1/seed3")
    assert layout.views(shard, "a-1", 3) == Path("results/r/views/jsd/single/007/a-1/seed3.zip")
    assert layout.views(shard, "a-1", 3).is_relative_to(layout.views_folder(shard))
    assert layout.log("mesh", shard) == Path("results/r/logs/mesh/jsd/single/007.log")
    assert layout.log("report") == Path("results/r/logs/report.log")
    assert layout.benchmark("mesh", shard) == Path("results/r/benchmarks/mesh/jsd/single/007.tsv")
    assert layout.benchmark("report") == Path("results/r/benchmarks/report.tsv")
