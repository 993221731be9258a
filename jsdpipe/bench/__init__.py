"""What work costs on this machine, beside the plain way to do it."""

from pathlib import Path

FOLDER = Path("results/bench")  # where the numbers go by default, and where `jsdpipe check` looks for them
NUMBERS = "generate.json"
