"""The miniature benchmark: a small analytic world, the models trained on it, their weights; its run and prompts."""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
CONFIG = Path(__file__).parent / "config.yaml"
PROMPTS = Path(__file__).parent / "prompts"
