"""The two forward passes of a case, and its loss.

`published` is the package's own, with torchscale changed as its README says. It adds positions twice to text: the embeddings that it splices
the image into have them already. `seed` looks tokens up, splices the image in and calls the unmodified decoder, which adds positions once.

The package has one image in each row, after the second token. Several images, with axes b m c h w, follow the tokens of images."""

import torch
from torch.nn import functional

from . import released

IGNORED = -100


def features(model, images):
    """The vectors of images, b n d, as the package computes them."""
    states = model.clip_model(pixel_values=images)["last_hidden_state"]
    return model.image_proj(model.perceive(states).squeeze(1))


def spliced(text, ids, images, image_token):
    """Text embeddings b l d with the vectors b m n d of images, each after its token; one of b n d comes after the second token."""
    if images.ndim == 3:
        return torch.cat([text[:, :2], images, text[:, 2:]], dim=1)
    rows = []
    for embedded, row, own in zip(text, ids, images):
        places = (row == image_token).nonzero()[:, 0] + 1
        assert len(places) == len(own), "as many image tokens as images"
        pieces = embedded.tensor_split(places)
        rows.append(torch.cat([one for pair in zip(pieces, own) for one in pair] + [pieces[-1]]))
    return torch.stack(rows)


def decoded(model, config, text_tokens, images):
    if config.get("mode", "seed") == "published":
        return model(text_tokens, images)
    if images.ndim == 5:
        found = features(model, images.flatten(0, 1)).unflatten(0, images.shape[:2])
    else:
        found = features(model, images)
    x = spliced(model.embed(text_tokens), text_tokens, found, config["image_token_id"])
    return model.decoder(x, token_embeddings=x)[0]


def call(model, text_tokens, images, targets=None):
    """The outputs of a case by name. `targets` has what each position is to predict, and -100 or padding where there is no loss."""
    config = model.case
    with released.upcast(model):
        logits = decoded(model, config, text_tokens, images)
        if targets is None:
            return {"logits": logits}
        kept = targets.masked_fill(targets == config["pad_token_id"], IGNORED)
        return {"logits": logits, "loss": functional.cross_entropy(logits.flatten(0, 1), kept.flatten(), ignore_index=IGNORED)}
