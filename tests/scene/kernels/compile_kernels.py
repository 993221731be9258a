"""Compile all kernels for a GPU, which need not be there; a script, because Triton must not interpret here."""

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from jsdpipe.scene.kernels import compositing, hash_encoding, marching

TARGET = GPUTarget("cuda", 80, 32)
FLOATS = ["points", "along", "table", "on_features", "found", "origins", "directions", "first", "far", "t", "depth"]
TYPES = dict.fromkeys([*FLOATS, "passed", "values", "behind", "sums"], "*fp32") | {
    "scales": "*fp64", "units": "*fp64", "shapes": "*i64", "edges": "*i64", "places": "*i64", "ray": "*i64",
    "occupied": "*u8", "n": "i32", "resolution": "i32", "step": "fp32", "bound": "fp32", "cells_per_unit": "fp32",
}  # fmt: skip


def compiled(kernel, constants, **types):
    """The PTX code of a kernel, in which no product and sum are rounded at once."""
    names = [name for name in kernel.arg_names if name not in constants]
    source = ASTSource(kernel, {name: (TYPES | types)[name] for name in names}, constants)
    made = triton.compile(source, target=TARGET, options={"enable_fp_fusion": False})
    assert made.asm["cubin"]
    assert "fma" not in made.asm["ptx"]
    return made.asm["ptx"]


for along, features in ((False, 2), (True, 3)):
    shape = {"FEATURES": features, "COLUMNS": triton.next_power_of_2(features), "LEVELS": 4}
    shape |= {"ALONG": along, "BLOCK": hash_encoding.BLOCK}
    compiled(hash_encoding._features_kernel, shape)
    compiled(hash_encoding._slopes_kernel, shape)
    assert ".add.u64" in compiled(hash_encoding._table_gradient_kernel, shape, sums="*i64")
for write in (False, True):
    compiled(marching._march_kernel, {"WRITE": write, "BLOCK": marching.BLOCK})
compiled(compositing._passed_kernel, {"BLOCK": compositing.BLOCK})
compiled(compositing._behind_kernel, {"BLOCK": compositing.BLOCK})
compiled(compositing._sums_kernel, {"CHANNELS": 5, "COLUMNS": 8, "BLOCK": compositing.BLOCK})
print("compiled")
