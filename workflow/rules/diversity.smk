rule diversity:
    input:
        renders=LAYOUT.manifest("render", "{shard}"),
        views=LAYOUT.views_folder("{shard}"),
    output:
        LAYOUT.manifest("diversity", "{shard}"),
    log:
        LAYOUT.log("diversity", "{shard}"),
    benchmark:
        LAYOUT.benchmark("diversity", "{shard}")
    threads: CONFIG.need("diversity").threads
    resources:
        gpu=CONFIG.need("diversity").gpu,
        mem_mb=CONFIG.need("diversity").mem_mb,
        runtime=CONFIG.need("diversity").runtime,
    params:
        run=LAYOUT.folder,
        digest=stage_digest("diversity"),
    message:
        "Score the diversity of {wildcards.shard}"
    shell:
        "jsdpipe diversity --run {params.run:q} --shard {wildcards.shard:q} 2>&1 | tee {log:q}"
