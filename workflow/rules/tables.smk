LAID_OUT = (*scored_of(SUMMARISED, CONFIG.scores), *scored_of(PAIRED, CONFIG.scores), "failures", "notes")


rule tables:
    input:
        manifests=MANIFESTS,
    output:
        LAYOUT.tables / "assets.csv",
        LAYOUT.tables / "prompts.csv",
        [
            report(
                LAYOUT.tables / f"{name}.csv",
                caption=f"../report/{name}.rst",
                category="Tables",
                labels={"of": name},
            )
            for name in LAID_OUT
        ],
        [LAYOUT.tables / f"{name}.{kind}" for name in LAID_OUT for kind in ("md", "tex")],
    log:
        LAYOUT.log("tables"),
    benchmark:
        LAYOUT.benchmark("tables")
    threads: CONFIG.need("tables").threads
    resources:
        **needed("tables"),
    params:
        run=LAYOUT.folder,
        digest=summary_digest("tables"),
    message:
        f"{STAGES['tables'].does} {{params.run}}"
    shell:
        "jsdpipe stage tables --run {params.run:q} 2>&1 | tee {log:q}"
