import pytest
import torch
from torch import nn

from jsdpipe.miniature_training import training
from jsdpipe.miniature_training.tokenizer import build, words


def fit(folder, steps, stop=None):
    torch.manual_seed(0)
    model = nn.Linear(3, 1)

    def loss_of(step, draw):
        if step == stop:
            raise KeyboardInterrupt
        x = torch.randn(16, 3, generator=draw)
        return (model(x)[:, 0] - x @ torch.tensor([1.0, -2.0, 0.5]) - 0.3).square().mean()

    training.train(
        "line", model, loss_of, steps=steps, lr=0.05, folder=folder, device="cpu", weight_decay=0.0, warmup=1
    )
    return model


def test_training_finds_a_line(tmp_path):
    model = fit(tmp_path, 600)
    torch.testing.assert_close(model.weight[0].detach(), torch.tensor([1.0, -2.0, 0.5]), atol=0.05, rtol=0)


def test_a_resumed_training_gives_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 10)
    whole = fit(tmp_path / "whole", 40)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "parts", 40, stop=25)
    resumed = fit(tmp_path / "parts", 40)
    assert torch.equal(whole.weight, resumed.weight)
    assert torch.equal(whole.bias, resumed.bias)


def test_every_word_is_one_token_and_nothing_is_unknown():
    tokenizer = build()
    for word in words():
        assert len(tokenizer(word).input_ids) == 3, word  # start, word, end
    ids = tokenizer("a café 🙂").input_ids
    assert tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "") == "acafé🙂"
    assert max(ids) < len(tokenizer)
