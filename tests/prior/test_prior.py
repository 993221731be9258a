import json

import numpy as np
import pytest
import tiny_models
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DDIMInverseScheduler, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextModel

from jsdpipe.prior.prior import load_prior

WHOLE = torch.arange(tiny_models.IMAGE**2 * 3).view(1, 3, tiny_models.IMAGE, tiny_models.IMAGE) / (
    tiny_models.IMAGE**2 * 3
)


@pytest.fixture(scope="module", params=["kl", "tiny"])
def folder(request, tmp_path_factory):
    return tiny_models.diffusion(tmp_path_factory.mktemp("prior"), tiny_vae=request.param == "tiny")


@pytest.fixture(scope="module")
def prior(folder):
    return load_prior(str(folder))


def test_latents_are_the_autoencoders_scaled(folder, prior):
    kl = isinstance(prior.vae, AutoencoderKL)
    vae = (AutoencoderKL if kl else AutoencoderTiny).from_pretrained(folder, subfolder="vae")
    out = vae.encode(WHOLE * 2 - 1)
    expected = 0.5 * (out.latent_dist.mean if kl else out.latents)
    assert prior.encode(WHOLE).shape == (1, 4, tiny_models.LATENT, tiny_models.LATENT)
    assert torch.allclose(prior.encode(WHOLE), expected, atol=1e-6)


def test_latents_are_drawn_from_the_autoencoders_posterior(folder, prior):
    images = torch.cat((WHOLE, WHOLE.flip(-1)))
    draws = [torch.Generator().manual_seed(seed) for seed in (3, 4)]
    found = prior.encode(images, draws)
    if isinstance(prior.vae, AutoencoderTiny):
        assert torch.equal(found, prior.encode(images))
        return
    # the last convolution's two halves are mean and logarithm of the variance
    vae = AutoencoderKL.from_pretrained(folder, subfolder="vae")
    mean, log_variance = vae.quant_conv(vae.encoder(images * 2 - 1)).chunk(2, dim=1)
    noise = [torch.randn(mean.shape[1:], generator=torch.Generator().manual_seed(seed)) for seed in (3, 4)]
    assert torch.allclose(found, 0.5 * (mean + (log_variance / 2).exp() * torch.stack(noise)), atol=1e-5)
    assert torch.allclose(prior.encode(images[1:], [torch.Generator().manual_seed(4)]), found[1:], atol=1e-6)


def test_images_are_the_autoencoders_of_unscaled_latents(folder, prior):
    kind = AutoencoderKL if isinstance(prior.vae, AutoencoderKL) else AutoencoderTiny
    z = torch.randn(2, 4, tiny_models.LATENT, tiny_models.LATENT, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = kind.from_pretrained(folder, subfolder="vae").decode(z / 0.5).sample
    found = prior.decode(z)
    assert found.shape == (2, 3, tiny_models.IMAGE, tiny_models.IMAGE)
    assert torch.allclose(found * 2 - 1, expected.clamp(-1, 1), atol=1e-5)


def test_images_of_another_size_are_resized_as_pillow_does(prior):
    images = torch.rand(1, 3, 48, 48)
    small = [
        np.asarray(
            Image.fromarray(channel.numpy()).resize((tiny_models.IMAGE, tiny_models.IMAGE), Image.Resampling.BILINEAR)
        )
        for channel in images[0]
    ]
    expected = prior.encode(torch.from_numpy(np.stack(small))[None])
    assert torch.allclose(prior.encode(images), expected, atol=1e-4)


def test_the_gradient_through_the_encoder_is_the_slope(prior):
    images = WHOLE.clone().requires_grad_()
    direction = torch.randn(WHOLE.shape, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(1, 4, tiny_models.LATENT, tiny_models.LATENT, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((prior.encode(images) * weight).sum(), images)
    step = 1e-2
    with torch.no_grad():
        ahead, behind = ((prior.encode(WHOLE + s * direction) * weight).sum() for s in (step, -step))
    assert float((gradient * direction).sum()) == pytest.approx(float(ahead - behind) / (2 * step), rel=2e-2)


def test_embeddings_are_of_the_padded_tokens(folder, prior):
    text = "an ox"
    tokens = prior.tokenizer(text).input_ids
    # start, a, n, o, x, end
    assert len(tokens) == 6
    padded = torch.tensor([tokens + [prior.tokenizer.pad_token_id] * (tiny_models.LENGTH - 6)])
    encoder = CLIPTextModel.from_pretrained(folder / "text_encoder")
    with torch.no_grad():
        expected = encoder(padded).last_hidden_state
    assert torch.allclose(prior.embed([text]), expected, atol=1e-6)


ROOM = tiny_models.LENGTH - 2  # tokens of a text in a window


@pytest.mark.parametrize(("letters", "windows"), [(0, 1), (ROOM, 1), (ROOM + 1, 2), (2 * ROOM + 1, 4), (5 * ROOM, 8)])
def test_a_text_is_encoded_in_windows(folder, prior, letters, windows):
    text = ("the quick brown fox jumps over the lazy dog" * 9).replace(" ", "")[:letters]
    tokens = prior.tokenizer(text, add_special_tokens=False, verbose=False).input_ids
    assert len(tokens) == letters
    begin, end, pad = (prior.tokenizer.get_vocab()[f"<|{name}|>"] for name in ("startoftext", "endoftext", "endoftext"))
    rows = [[begin, *tokens[i * ROOM : (i + 1) * ROOM], end] for i in range(windows)]
    padded = torch.tensor([row + [pad] * (tiny_models.LENGTH - len(row)) for row in rows])
    encoder = CLIPTextModel.from_pretrained(folder / "text_encoder")
    with torch.no_grad():
        expected = torch.cat(list(encoder(padded).last_hidden_state))
    assert torch.equal(prior.embed([text])[0], expected)


def test_short_texts_are_encoded_as_the_tokenizer_pads_them(folder, prior):
    texts = ["", "a ball", "z" * ROOM]
    tokens = prior.tokenizer(texts, padding="max_length", max_length=tiny_models.LENGTH, return_tensors="pt").input_ids
    encoder = CLIPTextModel.from_pretrained(folder / "text_encoder")
    with torch.no_grad():
        assert torch.equal(prior.embed(texts), encoder(tokens).last_hidden_state)


def test_texts_of_all_lengths_in_a_batch_give_what_they_give_alone(prior):
    texts = ["", "a ball", "x" * (ROOM + 3), "y" * (3 * ROOM), "z" * ROOM]
    z, t = torch.randn(5, 4, tiny_models.LATENT, tiny_models.LATENT), torch.tensor([3, 200, 500, 800, 999])
    together = prior.noise(z, t, prior.embed(texts))
    for i, text in enumerate(texts):
        alone = prior.noise(z[i : i + 1], t[i : i + 1], prior.embed([text]))
        assert torch.allclose(together[i], alone[0], atol=1e-5)
    assert not torch.allclose(together[1], together[0], atol=1e-2)


def test_noise_is_the_unets(folder, prior):
    z, t, text = (
        torch.randn(2, 4, tiny_models.LATENT, tiny_models.LATENT),
        torch.tensor([3, 900]),
        prior.embed(["a", "b"]),
    )
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet")
    with torch.no_grad():
        expected = unet(z, t, text).sample
    assert torch.allclose(prior.noise(z, t, text), expected, atol=1e-5)


def test_velocity_becomes_noise(tmp_path, prior):
    other = load_prior(str(tiny_models.diffusion(tmp_path, prediction_type="v_prediction")))
    z, t, text = (
        torch.randn(3, 4, tiny_models.LATENT, tiny_models.LATENT),
        torch.tensor([-99, 0, 999]),
        other.embed(["a"] * 3),
    )
    with torch.no_grad():
        velocity = other.unet(z, t, text).sample.numpy()
    roots = np.linspace(0.00085**0.5, 0.012**0.5, 1000)
    every = np.cumprod(1 - roots**2)
    a = np.array([every[0], every[0], every[999]])[:, None, None, None]
    expected = np.sqrt(a) * velocity + np.sqrt(1 - a) * z.numpy()
    assert np.allclose(other.noise(z, t, text).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("to_one", "before"), [(False, 1 - 0.00085), (True, 1.0)])
def test_alpha_before_the_first_timestep_is_the_schedulers(tmp_path, to_one, before):
    folder = tiny_models.diffusion(tmp_path)
    file = folder / "scheduler/scheduler_config.json"
    stated = json.loads(file.read_text()) | {"set_alpha_to_one": to_one}
    file.write_text(json.dumps(stated))
    prior = load_prior(str(folder))
    found = prior.alpha_bar(torch.tensor([-99, -1, 0])).tolist()
    assert found == pytest.approx([before, before, 1 - 0.00085], rel=1e-6)
    # from which diffusers' own inversion starts
    assert found[0] == float(DDIMInverseScheduler.from_config(stated).initial_alpha_cumprod)
