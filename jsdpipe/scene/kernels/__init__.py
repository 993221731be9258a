"""Triton kernels for the parts of hash-grid scenes that are slow in plain PyTorch on a GPU.

Each takes and gives what its plain counterpart does, whose tests it passes. Results are deterministic, bit by bit: sums
of floats have a fixed order, and sums whose order is open are sums of integers. `jsdpipe.base.device.has_triton` says
whether to use them.
"""
