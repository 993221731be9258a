"""Score with ImageReward's own package, in its side environment (imagereward.yaml); imagereward.py starts this.

Reads `{"model": FOLDER, "tokenizer": FOLDER, "prompts": [...], "images": [...]}`, with absolute paths, from standard
input, and writes the scores, a list for each prompt, to the file named on the command line.
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
    # the package loads its tokenizer from "bert-base-uncased", which may be a folder
    os.chdir(here)
    Path("bert-base-uncased").symlink_to(asked["tokenizer"])
    model = ImageReward.load(str(folder / "ImageReward.pt"), "cpu", med_config=str(folder / "med_config.json"))
scores = [[model.score(prompt, image) for image in asked["images"]] for prompt in asked["prompts"]]
Path(sys.argv[1]).write_text(json.dumps(scores))
