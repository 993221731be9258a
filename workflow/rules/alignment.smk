rule alignment:
    input:
        renders=LAYOUT.manifest("render", "{shard}"),
        views=LAYOUT.views_folder("{shard}"),
    output:
        LAYOUT.manifest("alignment", "{shard}"),
    log:
        LAYOUT.log("alignment", "{shard}"),
    benchmark:
        LAYOUT.benchmark("alignment", "{shard}")
    threads: CONFIG.need("alignment").threads
    resources:
        gpu=CONFIG.need("alignment").gpu,
        mem_mb=CONFIG.need("alignment").mem_mb,
        runtime=CONFIG.need("alignment").runtime,
    params:
        run=LAYOUT.folder,
        digest=stage_digest("alignment"),
    message:
        "Score the alignment of {wildcards.shard}"
    shell:
        "jsdpipe alignment --run {params.run:q} --shard {wildcards.shard:q} 2>&1 | tee {log:q}"
