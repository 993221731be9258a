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
        [
            report(
                LAYOUT.figures / f"{name}.png",
                caption=f"../report/{name}.rst",
                category="Figures",
                labels={"of": name},
            )
            for name, has in {"responses": CONFIG.damages, "worth": CONFIG.truth}.items()
            if has
        ],
        # only the first sheet of each set; a long set has more, and a run with regularizers has regularizer-share.png
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
    threads: CONFIG.need("figures").threads
    resources:
        **needed("figures"),
    params:
        run=LAYOUT.folder,
        digest=summary_digest("figures"),
        meanings=lambda _: MEANINGS,
    message:
        f"{STAGES['figures'].does} {{params.run}}"
    shell:
        "jsdpipe stage figures --run {params.run:q} 2>&1 | tee {log:q}"
