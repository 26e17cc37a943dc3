"""Labels and the mask of the embedding's gradient, from the released training loop (`train/train_utils.py`, `train_one_epoch`).

Both are computed in the middle of the loop, so the loop itself runs for one step on a stand-in of a model: it records the labels that it is
given, and its loss has the gradient of the case with respect to the embeddings."""

import sys
import types
from unittest import mock

import torch
from torch import nn

sys.modules.setdefault("wandb", types.ModuleType("wandb"))  # the loop imports it, and reports nothing to it here
from open_flamingo.train.train_utils import train_one_epoch  # noqa: E402

SETTINGS = {
    "precision": "fp32",
    "fsdp": False,
    "gradient_accumulation_steps": 1,
    "loss_multiplier_laion": 1.0,
    "loss_multiplier_mmc4": 1.0,
    "num_epochs": 1,
    "rank": 1,
    "logging_steps": 1,
    "report_to_wandb": False,
}


class Tokenizer:
    eos_token = "</s>"

    def __init__(self, media, eoc, pad):
        self.ids, self.pad_token_id = {"<image>": media, "<|endofchunk|>": eoc}, pad

    def __call__(self, text, add_special_tokens):
        return {"input_ids": [self.ids[text]]}


class Recording:
    """What the loop calls as a model. `losses` are those of its two calls; `parameters`, whose norm is clipped, are none."""

    def __init__(self, losses, weight=None):
        self.module, self.labels, self.losses = self, [], list(losses)
        self.lang_encoder = mock.Mock()
        self.lang_encoder.get_input_embeddings.return_value.weight = weight

    def train(self):
        """Nothing depends on the mode."""

    def parameters(self):
        return []

    def __call__(self, vision_x, lang_x, attention_mask, labels):
        self.labels.append(labels)
        return [self.losses[len(self.labels) - 1]]


class Loader(list):
    num_batches = 1


def one_step(model, tokenizer, input_ids, freeze):
    b = input_ids.shape[0]
    mask = torch.ones_like(input_ids)
    laion = [torch.zeros(b, 1, 1, 1), (input_ids, mask)]
    mmc4 = [torch.zeros(b, 1, 1, 1, 1), [(ids[None], real[None]) for ids, real in zip(input_ids, mask)]]
    args = types.SimpleNamespace(**SETTINGS, freeze_lm_embeddings=freeze)
    with torch.enable_grad():
        train_one_epoch(args, model, 0, Loader([laion]), Loader([mmc4]), tokenizer, mock.Mock(), mock.Mock(), "cpu", None)


class TrainLabels(nn.Module):
    """The labels that the loop makes of a batch of one of the two data sets."""

    def __init__(self, dataset, media_token_id, eoc_token_id, pad_token_id):
        super().__init__()
        self.call = {"laion": 0, "mmc4": 1}[dataset]
        self.tokenizer = Tokenizer(media_token_id, eoc_token_id, pad_token_id)

    def forward(self, input_ids):
        model = Recording(torch.zeros(2, requires_grad=True))
        one_step(model, self.tokenizer, input_ids, freeze=True)
        return {"labels": model.labels[self.call]}


class EmbeddingGradientMask(nn.Module):
    """The gradient of the embeddings after the loop has masked it; `keep` are the ids of the image and of the end of a chunk."""

    def __init__(self, keep):
        super().__init__()
        self.tokenizer = Tokenizer(*keep, pad=-1)

    def forward(self, grad):
        weight = nn.Parameter(torch.zeros_like(grad))
        with torch.enable_grad():
            model = Recording([(weight * grad.detach()).sum(), torch.zeros((), requires_grad=True)], weight)
        one_step(model, self.tokenizer, torch.zeros(1, 2, dtype=torch.int64), freeze=False)
        return {"masked": weight.grad}


CLASSES = {"train_labels": TrainLabels, "embedding_gradient_mask": EmbeddingGradientMask}
