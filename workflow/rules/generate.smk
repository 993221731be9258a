rule generate:
    output:
        LAYOUT.manifest("generate", "{shard}"),
    log:
        LAYOUT.log("generate", "{shard}"),
    benchmark:
        LAYOUT.benchmark("generate", "{shard}")
    threads: CONFIG.need("generate").threads
    resources:
        gpu=CONFIG.need("generate").gpu,
        mem_mb=CONFIG.need("generate").mem_mb,
        runtime=CONFIG.need("generate").runtime,
    params:
        run=LAYOUT.folder,
        digest=stage_digest("generate"),
    message:
        "Generate the assets of {wildcards.shard}"
    shell:
        "jsdpipe generate --run {params.run:q} --shard {wildcards.shard:q} 2>&1 | tee {log:q}"
