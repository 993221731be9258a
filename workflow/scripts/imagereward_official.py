"""Scores of ImageReward's own package, in its side environment (workflow/envs/imagereward.yaml).

Reads `{"model": FOLDER, "tokenizer": FOLDER, "prompts": [...], "images": [...]}` with absolute paths on standard input,
and writes the scores, a list a prompt, to the file that is named; see imagereward_parity.py.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import ImageReward

asked = json.load(sys.stdin)
folder = Path(asked["model"])
with tempfile.TemporaryDirectory() as here:
    # The package takes its tokenizer from "bert-base-uncased", a folder of that name if there is one.
    os.chdir(here)
    Path("bert-base-uncased").symlink_to(asked["tokenizer"])
    model = ImageReward.load(str(folder / "ImageReward.pt"), "cpu", med_config=str(folder / "med_config.json"))
scores = [[model.score(prompt, image) for image in asked["images"]] for prompt in asked["prompts"]]
Path(sys.argv[1]).write_text(json.dumps(scores))
