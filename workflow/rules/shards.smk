# One rule for each stage that works on shards; jsdpipe/config/stages.py lists them.
for stage in (STAGES[name] for name in CONFIG.stages):

    rule:
        name:
            stage.name
        input:
            [LAYOUT.manifest(before, "{shard}") for before in stage.reads(CONFIG)],
            meshes_read(stage.name),
            LAYOUT.views_folder("{shard}") if stage.views == "read" else [],
        output:
            LAYOUT.manifest(stage.name, "{shard}"),
            kept_or_temp(directory(LAYOUT.views_folder("{shard}"))) if stage.views == "write" else [],
        log:
            LAYOUT.log(stage.name, "{shard}"),
        benchmark:
            LAYOUT.benchmark(stage.name, "{shard}")
        threads: CONFIG.need(stage.name).threads
        resources:
            **needed(stage.name),
        params:
            stage=stage.name,
            run=LAYOUT.folder,
            digest=stage_digest(stage.name),
        message:
            f"{stage.does} {{wildcards.shard}}"
        shell:
            "jsdpipe stage {params.stage} --run {params.run:q} --shard {wildcards.shard:q} 2>&1 | tee {log:q}"
