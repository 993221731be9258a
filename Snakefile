# The workflow: prompts -> generate -> mesh -> render -> quality, alignment, diversity -> tables, figures -> report.
# It only decides which commands of `jsdpipe` to run; each can be run by hand and does the same.

from snakemake.utils import min_version

min_version("9.0")


# A configuration given on the command line stands alone: merged into the default one it would mix their methods and sets.
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        LAYOUT.report / "index.html",


include: "workflow/rules/hooks.smk"
include: "workflow/rules/generate.smk"
include: "workflow/rules/mesh.smk"
include: "workflow/rules/render.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


# what the configuration may leave out
for name in (*CONFIG.stages[3:], *(["study"] if CONFIG.study else [])):

    include: f"workflow/rules/{name}.smk"
