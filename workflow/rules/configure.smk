# Not a rule: every job reads run.json, and takes a part from it. As an input, each change of the configuration would run
# everything again; as an ancient() one, Snakemake 9.27 would run nothing again but `configure`, because it doesn't look
# at the other triggers (params) of jobs that depend on one that runs. So each rule states as `digest` what it takes.
from jsdpipe.errors import warn
from jsdpipe.miniature.strangers import warn_of_strangers_in
from jsdpipe.plausibility import warnings
from jsdpipe.scoring import models
from jsdpipe.validation import at


onstart:
    with one_line_errors():
        with at(CONFIG_NAME):
            models.check_prompts(RUN)
        warn(*warnings(CONFIG, RUN.recipes))
        warn_of_strangers_in(RUN)
        RUN.save()
