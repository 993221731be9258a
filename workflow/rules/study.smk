# Takes nothing from the stages: the study is the same whatever is generated.
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
    threads: CONFIG.need("report").threads
    resources:
        gpu=CONFIG.need("report").gpu,
        mem_mb=CONFIG.need("report").mem_mb,
        runtime=CONFIG.need("report").runtime,
    params:
        run=LAYOUT.folder,
        digest=study_digest(RUN),
    message:
        "Study divergences and objectives for {params.run}"
    shell:
        "jsdpipe study --run {params.run:q} 2>&1 | tee {log:q}"
