"""Low-rank adapters of a U-Net's attention (LoRA, arXiv 2106.09685) that know the camera, one an asset."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

RANK = 4  # as in the public code of VSD
POSE = 16  # a camera-to-world matrix, row by row
ADAPTED = re.compile(r"attn[12]\.(to_q|to_k|to_v|to_out\.0)$")


class CameraLoRA(nn.Module):
    """Of A assets: additions to every attention projection, and to the time embedding by a camera's pose.

    Projection W of asset i becomes W + up_i down_i, `down` (A, r, in) normal of deviation 1 / r, `up` (A, out, r) zero.
    The pose goes through an MLP of the time embedding's width whose last layer starts from zero (the public code starts
    it at random): an untrained adapter changes nothing.
    """

    def __init__(self, unet: Any, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        assets, place = len(generators), unet.device

        def normal(*shape: int, deviation: float) -> nn.Parameter:
            drawn = torch.stack([torch.randn(shape, generator=g) for g in generators])
            return nn.Parameter((deviation * drawn).to(place))

        def zero(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(assets, *shape, device=place))

        self.unet = [unet]  # in a list, so that it is no part of this module
        self.down, self.up = nn.ParameterDict(), nn.ParameterDict()
        for name, linear in unet.named_modules():
            if ADAPTED.search(name):
                key = name.replace(".", "/")
                self.down[key] = normal(RANK, linear.in_features, deviation=1 / RANK)
                self.up[key] = zero(linear.out_features, RANK)
        width = unet.time_embedding.linear_2.out_features
        self.pose = normal(width, POSE, deviation=POSE**-0.5)
        self.pose_bias = zero(width)
        self.embedding, self.embedding_bias = zero(width, width), zero(width)

    @contextmanager
    def attached(self, assets: Tensor, pose: Tensor) -> Iterator[None]:
        """Within, the U-Net's item j is asset assets[j]'s (B,), seen from pose (B, 16); zero where it is not told."""
        unet = self.unet[0]
        hidden = torch.einsum("bep,bp->be", self.pose[assets], pose) + self.pose_bias[assets]
        hidden = torch.nn.functional.silu(hidden)
        seen = torch.einsum("bfe,be->bf", self.embedding[assets], hidden) + self.embedding_bias[assets]

        def low_rank(key: str) -> Callable[..., Tensor]:
            down, up = self.down[key][assets], self.up[key][assets]

            def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
                added = inputs[0].float() @ down.transpose(1, 2) @ up.transpose(1, 2)
                return output + added.to(output.dtype)

            return hook

        with ExitStack() as hooks:
            for key in self.down:
                linear = unet.get_submodule(key.replace("/", "."))
                hooks.callback(linear.register_forward_hook(low_rank(key)).remove)
            timed = unet.time_embedding.register_forward_hook(lambda m, i, out: out + seen.to(out.dtype))
            hooks.callback(timed.remove)
            yield
