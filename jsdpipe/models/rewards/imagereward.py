"""The reward `imagereward`: ImageReward-v1.0 (arXiv 2304.05977), with transformers' BLIP classes."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jsdpipe.model_files.formats import BERT_TOKENIZER, IMAGE_REWARD
from jsdpipe.models.roles import REWARDS
from jsdpipe.models.settings import Checkpoint, Pretrained

MEAN, DEVIATION = 0.16717362830052426, 1.0333394966054072  # of the raw rewards
TOKENS = 35
CLIP_MEAN, CLIP_DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
BATCH, BATCH_OF_ACCELERATOR = 16, 128  # images


class BertTokenizer(Checkpoint):
    """The vocabulary of ImageReward's tokenizer."""

    format = BERT_TOKENIZER


@REWARDS.register("imagereward")
class ImageReward:
    """The model, from the folders of its weights and its vocabulary; texts are cut to 35 tokens."""

    class Settings(Pretrained):
        """ImageReward-v1.0, T3Bench's reward."""

        tokenizer: BertTokenizer = BertTokenizer(model="google-bert/bert-base-uncased")
        format = IMAGE_REWARD

    def __init__(self, settings: Settings, device: str = "cpu") -> None:
        import transformers
        from torchvision import transforms

        from jsdpipe.base.device import is_accelerator, number_format
        from jsdpipe.models.imagereward_network import load

        weights, vocabulary = settings.fetched(), settings.tokenizer.fetched()
        digests = IMAGE_REWARD.digest(weights), BERT_TOKENIZER.digest(vocabulary)
        self._device, self._dtype = device, number_format(settings.dtype, device)
        self.identity = f"imagereward sha256:{digests[0]}, vocabulary sha256:{digests[1]}, {self._dtype}"
        self._batch = BATCH_OF_ACCELERATOR if is_accelerator(device) else BATCH
        self._model = load(weights).to(self._device, self._dtype)
        self._model.head.float()
        self._tokenizer = transformers.BertTokenizer(str(vocabulary / "vocab.txt"))
        size = self._model.vision.config.image_size
        self._preprocess = transforms.Compose(
            [
                transforms.Resize(size, transforms.InterpolationMode.BICUBIC),
                transforms.CenterCrop(size),
                transforms.ToTensor(),
                transforms.Normalize(CLIP_MEAN, CLIP_DEVIATION),
            ]
        )

    def score(self, text: str, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        import torch

        tokens = self._tokenizer(text, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt")
        ids, mask = tokens.input_ids.to(self._device), tokens.attention_mask.to(self._device)
        rewards = []
        for start in range(0, len(images), size := self._batch):
            # PIL images, because tensors are resized differently
            pixels = torch.stack([self._preprocess(Image.fromarray(image)) for image in images[start : start + size]])
            with torch.no_grad():
                rewards.append(self._model(pixels.to(self._device, self._dtype), ids, mask).cpu())
        return (torch.cat(rewards).double().numpy() - MEAN) / DEVIATION
