rule report:
    # Not the manifests, which tables and figures wait for: Snakemake 9.27 looks at every two of a rule's input files if
    # the rule names another one's output, which at 9,000 manifests takes ten seconds.
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
