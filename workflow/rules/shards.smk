# One rule for each job of a shard: a stage, or the stages that the configuration joins; jsdpipe/config/stages.py lists them.
for job in CONFIG.jobs:

    rule:
        name:
            job[0]
        input:
            [LAYOUT.manifest(before, "{shard}") for before in read_by(job)],
            meshes_read(job[0]),
            LAYOUT.views_folder("{shard}") if views_of(job) == {"read"} else [],
        output:
            [LAYOUT.manifest(stage, "{shard}") for stage in job],
            kept_or_temp(directory(LAYOUT.views_folder("{shard}"))) if "write" in views_of(job) else [],
        log:
            LAYOUT.log(job[0], "{shard}"),
        benchmark:
            LAYOUT.benchmark(job[0], "{shard}")
        threads: CONFIG.need(*job).threads
        resources:
            **needed(*job),
        params:
            stages=list(job),
            run=LAYOUT.folder,
            digest=job_digest(job),
        message:
            f"{STAGES[job[0]].does} {{wildcards.shard}}"
        shell:
            "jsdpipe stage {params.stages} --run {params.run:q} --shard {wildcards.shard:q} 2>&1 | tee {log:q}"
