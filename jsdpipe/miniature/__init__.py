"""The miniature benchmark: a small analytic world, models trained on it, prompts, and a configuration."""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
CONFIG = Path(__file__).parent / "config.yaml"
PROMPTS = Path(__file__).parent / "prompts"
