"""What a case exercises, computed from its configuration and its inputs."""

from ..common.cases import flags as common

LATENTS = 64  # of the package


def flags(case, inputs):
    found = set(case.get("flags", []))
    if case.get("raises"):
        return sorted(found | {"Raises"})
    found |= {"Gradients"} if case.get("grads") else set()
    if case["class"] == "Kosmos":
        found |= model_flags(case["config"], inputs)
    return sorted(found | (step_flags(inputs) if case["class"] == "StableAdamW" else set()))


def model_flags(config, inputs):
    args, perceive, clip = (config["decoder"]["args"], config["perceive"], config["clip_model"])
    ids, images = inputs["text_tokens"], inputs["images"]
    width, latents = args["decoder_embed_dim"], perceive.get("num_latents", LATENTS)
    length = ids.shape[1] + latents * (images.shape[1] if images.ndim == 5 else 1)
    tests = {
        "Published" if config.get("mode") == "published" else "Seed": True,
        "Multiway": args.get("multiway"),
        "QuickGelu" if clip.get("hidden_act", "quick_gelu") == "quick_gelu" else "Gelu": True,
        "ScaledEmbedding": args.get("no_scale_embedding") is False,
        "NormalizedEmbedding": args.get("layernorm_embedding"),
        "RelativePositions": args.get("rel_pos_buckets", 0) > 0,
        "WithoutXPos": not args.get("xpos_rel_pos"),
        "PreNorm": args.get("subln") is False and not args.get("deepnorm"),
        "DeepNorm": args.get("deepnorm"),
        "DeeperResampler": perceive["depth"] > 2,
        "PatchPositions": perceive.get("num_media_embeds") == 256,
        "TokenPositions": perceive.get("num_media_embeds") == 257,
        "ReleaseLatents": latents == LATENTS,
        "SeveralImages": images.ndim == 5,
        "SeveralRows": ids.shape[0] > 1,
        "RightPadding": (ids[:, -1] == config["pad_token_id"]).any(),
        "Targets": "targets" in inputs,
    }
    found = {name for name, holds in tests.items() if holds}
    return found | common.size_flags(length, length, max(width, args["decoder_ffn_embed_dim"]))


def step_flags(inputs):
    return {"SeveralSteps" if "g1" in inputs else "OneStep", "OneAxis" if inputs["p0"].ndim == 1 else "TwoAxes"}
