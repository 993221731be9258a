rule mesh:
    input:
        assets=LAYOUT.manifest("generate", "{shard}"),
    output:
        LAYOUT.manifest("mesh", "{shard}"),
    log:
        LAYOUT.log("mesh", "{shard}"),
    benchmark:
        LAYOUT.benchmark("mesh", "{shard}")
    threads: CONFIG.need("mesh").threads
    resources:
        gpu=CONFIG.need("mesh").gpu,
        mem_mb=CONFIG.need("mesh").mem_mb,
        runtime=CONFIG.need("mesh").runtime,
    params:
        run=LAYOUT.folder,
        digest=stage_digest("mesh"),
    message:
        "Extract the meshes of {wildcards.shard}"
    shell:
        "jsdpipe mesh --run {params.run:q} --shard {wildcards.shard:q} 2>&1 | tee {log:q}"
