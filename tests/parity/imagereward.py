"""Compare our ImageReward with its own package, on the same weights, images and prompts.

    python tests/parity/imagereward.py --official SIDE_ENVIRONMENT/bin/python \
        --model zai-org/ImageReward --prompt "a red ball" --prompt "a blue cube" IMAGE...

prints both scores of every image and prompt, and their largest difference. The side environment is imagereward.yaml.
"""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from jsdpipe.models.rewards.imagereward import BertTokenizer, ImageReward


def compare(
    images: list[Path],
    official: Annotated[Path, typer.Option(help="the side environment's python")],
    prompt: Annotated[list[str], typer.Option(help="a text; may be repeated")],
    model: Annotated[str, typer.Option(help="a folder, or a hub id")] = "zai-org/ImageReward",
    vocabulary: Annotated[str, typer.Option(help="a folder, or a hub id")] = "google-bert/bert-base-uncased",
) -> None:
    """Print the scores of our ImageReward and of its own package, and their largest difference."""
    tokenizer = BertTokenizer(model=vocabulary)
    settings = ImageReward.Settings(kind="imagereward", model=model, tokenizer=tokenizer, dtype="float32")
    parts = {"model": settings, "tokenizer": tokenizer}
    folders = {name: str(part.fetched().resolve()) for name, part in parts.items()}
    asked = {**folders, "prompts": prompt, "images": [str(path.resolve()) for path in images]}
    with tempfile.TemporaryDirectory() as folder:
        script, answer = Path(__file__).with_name("imagereward_official.py"), Path(folder) / "scores.json"
        subprocess.run([official, script, answer], input=json.dumps(asked), text=True, check=True)
        theirs = np.array(json.loads(answer.read_text()))
    reward = ImageReward(settings)
    pictures = [np.asarray(Image.open(path).convert("RGB"))[None] for path in images]
    ours = np.array([[reward.score(text, picture)[0] for picture in pictures] for text in prompt])
    for (i, j), value in np.ndenumerate(ours):
        print(f"{value:+.6f}  {theirs[i, j]:+.6f}  {images[j]}  {prompt[i]}")
    print(f"largest difference {np.abs(ours - theirs).max():.2e}, of scores that differ by up to {np.ptp(theirs):.2e}")


if __name__ == "__main__":
    typer.run(compare)
