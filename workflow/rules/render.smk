rule render:
    input:
        meshes=LAYOUT.manifest("mesh", "{shard}"),
    output:
        manifest=LAYOUT.manifest("render", "{shard}"),
        views=kept_or_temp(directory(LAYOUT.views_folder("{shard}"))),
    log:
        LAYOUT.log("render", "{shard}"),
    benchmark:
        LAYOUT.benchmark("render", "{shard}")
    threads: CONFIG.need("render").threads
    resources:
        gpu=CONFIG.need("render").gpu,
        mem_mb=CONFIG.need("render").mem_mb,
        runtime=CONFIG.need("render").runtime,
    params:
        run=LAYOUT.folder,
        digest=stage_digest("render"),
    message:
        "Render the views of {wildcards.shard}"
    shell:
        "jsdpipe render --run {params.run:q} --shard {wildcards.shard:q} 2>&1 | tee {log:q}"
