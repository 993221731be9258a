rule quality:
    input:
        renders=LAYOUT.manifest("render", "{shard}"),
        views=LAYOUT.views_folder("{shard}"),
    output:
        LAYOUT.manifest("quality", "{shard}"),
    log:
        LAYOUT.log("quality", "{shard}"),
    benchmark:
        LAYOUT.benchmark("quality", "{shard}")
    threads: CONFIG.need("quality").threads
    resources:
        gpu=CONFIG.need("quality").gpu,
        mem_mb=CONFIG.need("quality").mem_mb,
        runtime=CONFIG.need("quality").runtime,
    params:
        run=LAYOUT.folder,
        digest=stage_digest("quality"),
    message:
        "Score the quality of {wildcards.shard}"
    shell:
        "jsdpipe quality --run {params.run:q} --shard {wildcards.shard:q} 2>&1 | tee {log:q}"
