# The rule has no inputs, because the study does not depend on the run's assets.
rule study:
    output:
        LAYOUT.study / "study.json",
        [
            report(
                LAYOUT.study / f"{name}.csv",
                caption="../report/study.rst",
                category="Study",
                labels={"of": name},
            )
            for name in ("divergences", "objectives")
        ],
        [
            report(
                LAYOUT.study / f"{name}.png",
                caption="../report/study.rst",
                category="Study",
                labels={"of": name},
            )
            for name in ("weights", "descent", "objectives")
        ],
    log:
        LAYOUT.log("study"),
    benchmark:
        LAYOUT.benchmark("study")
    threads: CONFIG.need("study").threads
    resources:
        **needed("study"),
    params:
        run=LAYOUT.folder,
        digest=study_digest(RUN),
    message:
        f"{STAGES['study'].does} {{params.run}}"
    shell:
        "jsdpipe stage study --run {params.run:q} 2>&1 | tee {log:q}"
