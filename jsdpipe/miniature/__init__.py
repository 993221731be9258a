"""The miniature benchmark: a small analytic world, the models trained on it, and their weights."""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
