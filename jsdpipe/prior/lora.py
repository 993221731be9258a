"""Low-rank adapters (LoRA, arXiv 2106.09685) of a U-Net's attention that are told the camera; one for each asset."""

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
    """What A assets add to every attention projection, and to the time embedding by the camera's pose.

    Asset i's projection is W + up_i down_i. `down` (A, r, in) starts normal with deviation 1 / r, `up` (A, out, r)
    zero. An MLP adds the pose to the time embedding. Its last layer starts at zero (in the public code at random), so
    an untrained adapter changes nothing.
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
        """Within the context, the U-Net's item j has the adapter of asset assets[j] (B,) and is told pose[j] (B, 16).

        A pose of zeros tells nothing.
        """
        unet = self.unet[0]
        hidden = torch.einsum("bep,bp->be", self.pose[assets], pose) + self.pose_bias[assets]
        hidden = torch.nn.functional.silu(hidden)
        seen = torch.einsum("bfe,be->bf", self.embedding[assets], hidden) + self.embedding_bias[assets]

        def low_rank(key: str) -> Callable[..., Tensor]:
            down, up = self.down[key][assets], self.up[key][assets]

            def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
                added = inputs[0].to(down.dtype) @ down.transpose(1, 2) @ up.transpose(1, 2)
                return output + added.to(output.dtype)

            return hook

        with ExitStack() as hooks:
            for key in self.down:
                linear = unet.get_submodule(key.replace("/", "."))
                hooks.callback(linear.register_forward_hook(low_rank(key)).remove)
            timed = unet.time_embedding.register_forward_hook(lambda m, i, out: out + seen.to(out.dtype))
            hooks.callback(timed.remove)
            yield
