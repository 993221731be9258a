METRICS_NEED = {need for metric in metrics.named(CONFIG) for need in metric.needs}


rule metrics:
    input:
        renders=LAYOUT.manifest("render", "{shard}"),
        views=LAYOUT.views_folder("{shard}") if any(need.startswith("views:") for need in METRICS_NEED) else [],
        captions=LAYOUT.manifest("alignment", "{shard}") if "captions" in METRICS_NEED else [],
    output:
        LAYOUT.manifest("metrics", "{shard}"),
    log:
        LAYOUT.log("metrics", "{shard}"),
    benchmark:
        LAYOUT.benchmark("metrics", "{shard}")
    threads: CONFIG.need("metrics").threads
    resources:
        gpu=CONFIG.need("metrics").gpu,
        mem_mb=CONFIG.need("metrics").mem_mb,
        runtime=CONFIG.need("metrics").runtime,
    params:
        run=LAYOUT.folder,
        digest=stage_digest("metrics"),
    message:
        "Compute the metrics of {wildcards.shard}"
    shell:
        "jsdpipe metrics --run {params.run:q} --shard {wildcards.shard:q} 2>&1 | tee {log:q}"
