rule report:
    # The manifests are no inputs here, because tables and figures depend on them already. If a rule uses another rule's
    # output, Snakemake 9.27 compares all pairs of its input files, which takes ten seconds for 9,000 manifests.
    input:
        tables=rules.tables.output,
        figures=rules.figures.output,
        study=LAYOUT.study / "study.json" if CONFIG.study else [],
    output:
        LAYOUT.report / "index.html",
    log:
        LAYOUT.log("report"),
    benchmark:
        LAYOUT.benchmark("report")
    threads: CONFIG.need("report").threads
    resources:
        **needed("report"),
    params:
        run=LAYOUT.folder,
        digest=summary_digest("report"),
    message:
        f"{STAGES['report'].does} {{params.run}}"
    shell:
        "jsdpipe stage report --run {params.run:q} 2>&1 | tee {log:q}"
