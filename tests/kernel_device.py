"""Where tests run Triton's kernels: compiled on a GPU, else on the CPU in Triton's interpreter (see `conftest.py`)."""

import os

import pytest

pytest.importorskip("triton")

DEVICE = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"
