# The workflow: prompts -> generate -> mesh -> render -> quality, alignment, diversity -> tables, figures -> report.
# It only decides which commands of `jsdpipe` to run; each of them can also be run by hand.

from snakemake.utils import min_version

min_version("9.0")


# A configuration given on the command line replaces the default one; merging them would mix their methods and sets.
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
include: "workflow/rules/shards.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


if CONFIG.study:

    include: "workflow/rules/study.smk"
