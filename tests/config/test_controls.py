"""Truth and controls in a configuration: what cannot be, in one line."""

import pytest
import tiny

from jsdpipe.base.errors import UserError
from jsdpipe.config.run_config import resolve

TRUTH = {"kind": "truth"}


def config(folder, methods, prompts="a red ball\na blue cube\n"):
    """A run without a prior."""
    of = tiny.config(folder, prompts)
    del of["prior"]
    return of | {"methods": methods}


@pytest.mark.parametrize("prompt", ["a red dog", "a red ball on a cone"])
def test_a_prompt_outside_the_grammar_is_named_with_the_grammar(tmp_path, prompt):
    with pytest.raises(UserError) as error:
        resolve(config(tmp_path, {"true": TRUTH}, f"a blue cube\n{prompt}\n"))
    said = str(error.value)
    assert said.startswith("configuration: methods.true: set single, line 2: ")
    assert "\n" not in said and prompt.split()[-1] in said and "THING on SURROUNDING" in said
