"""A prior that wants all pictures to be of one color, and a recipe that has no gradient."""

from types import SimpleNamespace

import torch

from jsdpipe.prior.prior import Prior


class Towards(torch.nn.Module):
    """A U-Net that knows all clean latents to be near one color, whatever the text."""

    def __init__(self, mean, alphas, side):
        super().__init__()
        self.config = SimpleNamespace(sample_size=side, in_channels=len(mean))
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self.mean, self.alphas = torch.tensor(mean).view(1, -1, 1, 1), alphas

    def forward(self, z, t, text):
        a, variance = self.alphas[t.clamp(min=0)].view(-1, 1, 1, 1), 0.01
        return SimpleNamespace(sample=(1 - a).sqrt() * (z - a.sqrt() * self.mean) / (a * variance + 1 - a))


class Shrinking(torch.nn.Module):
    """An autoencoder whose latents are the picture at a quarter of its size, in [-1, 1]."""

    def __init__(self):
        super().__init__()
        self.config = SimpleNamespace(block_out_channels=(1, 1, 1), scaling_factor=1.0)
        self.dtype = torch.float32

    def encode(self, images):
        return SimpleNamespace(latents=torch.nn.functional.avg_pool2d(images, 4))


def burning(recipe):
    """A recipe with a guidance scale beyond any that a file may state, so that its gradient is not finite."""
    return recipe.model_copy(update={"objective": recipe.objective.model_copy(update={"guidance_scale": 1e38})})


def towards(mean, prior, side=4):
    """A prior of latents `mean`, in colors (mean + 1) / 2, with the text encoder and schedule of another."""
    return Prior(
        unet=Towards(mean, prior.alphas[:-1], side), vae=Shrinking(), text_encoder=prior.text_encoder,
        tokenizer=prior.tokenizer, alphas_cumprod=prior.alphas[:-1], final_alpha_cumprod=float(prior.alphas[-1]),
        prediction_type="epsilon", name="toy", digest="",
    )  # fmt: skip
