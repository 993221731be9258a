rule figures:
    input:
        manifests=MANIFESTS,
    output:
        [
            report(
                LAYOUT.figures / f"{group.name}.png",
                caption="../report/group.rst",
                category="Figures",
                labels={"of": group.name},
            )
            for group in metrics.by_group(CONFIG)
        ],
        # the first sheet of each set; a long set has more
        [
            report(
                LAYOUT.figures / f"contact-{name}-01.png",
                caption="../report/contact.rst",
                category="Figures",
                labels={"of": f"contact sheet, {name}"},
            )
            for name in CONFIG.sets
        ],
    log:
        LAYOUT.log("figures"),
    benchmark:
        LAYOUT.benchmark("figures")
    threads: CONFIG.need("report").threads
    resources:
        gpu=CONFIG.need("report").gpu,
        mem_mb=CONFIG.need("report").mem_mb,
        runtime=CONFIG.need("report").runtime,
    params:
        run=LAYOUT.folder,
        digest=DIGEST,
        meanings=lambda _: MEANINGS,
    message:
        "Draw the figures of {params.run}"
    shell:
        "jsdpipe figures --run {params.run:q} 2>&1 | tee {log:q}"
