# table -> its caption in Snakemake's report
LAID_OUT = {
    **{group.name: "group" for group in metrics.by_group(CONFIG)},
    **dict.fromkeys(metrics.compared(CONFIG), "paired"),
    **({"ranking": "ranking"} if metrics.ranked(CONFIG) else {}),
    **({"separation": "separation"} if metrics.separated(CONFIG) else {}),
    **({"responses": "responses"} if CONFIG.damages else {}),
    **({"prdc": "prdc", "worth": "worth"} if CONFIG.truth else {}),
    "failures": "failures",
    "notes": "notes",
}


rule tables:
    input:
        manifests=MANIFESTS,
    output:
        LAYOUT.tables / "assets.csv",
        LAYOUT.tables / "prompts.csv",
        [
            report(
                LAYOUT.tables / f"{name}.csv",
                caption=f"../report/{caption}.rst",
                category="Tables",
                labels={"of": name},
            )
            for name, caption in LAID_OUT.items()
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
        meanings=lambda _: MEANINGS,
    message:
        f"{STAGES['tables'].does} {{params.run}}"
    shell:
        "jsdpipe stage tables --run {params.run:q} 2>&1 | tee {log:q}"
