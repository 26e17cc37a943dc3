"""What a case of torchscale exercises, computed from its config and its own tensors."""

from ..common.cases.flags import size_flags


def flags(case, inputs, release_places_norms=True):
    found = set(case.get("flags", []))
    if case.get("raises"):
        return sorted(found | {"Raises"})
    if case.get("grads"):
        found.add("Gradients")
    kinds = {"XPOS": xpos_flags, "RelativePositionBias": bias_flags, "FeedForwardNetwork": feed_forward_flags, "MultiheadAttention": attention_flags}
    if case["class"] == "Decoder":
        return sorted(found | decoder_flags(case["config"], inputs, release_places_norms))
    return sorted(found | kinds[case["class"]](case["config"], inputs))


def xpos_flags(config, inputs):
    length, offset = inputs["x"].shape[1], int(inputs.get("offset", 0))
    found = {"Downscale"} if int(inputs.get("downscale", 0)) else set()
    found |= {"Offset"} if offset else set()
    return found | {"OddLength" if (length + offset) % 2 else "EvenLength"}


def bias_flags(config, inputs):
    queries, keys, step = (int(inputs.get(name, 0)) for name in ("qlen", "klen", "step"))
    found = {"Step"} if step else set()
    found |= {"FewerQueries"} if queries < keys else set()
    if keys - 1 - step > 0:
        found.add("LaterKeys")
    if step + queries - 1 >= config.get("max_distance", 128):
        found.add("BeyondMaxDistance")
    return found | ({"OddBuckets"} if config.get("num_buckets", 32) % 2 else set())


def chosen(**names):
    return {name for name, holds in names.items() if holds}


def activation_flag(name):
    return {"gelu": "Gelu", "relu": "Relu", "swish": "Swish"}[name]


def multiway_flags(args, config, length):
    if not args.get("multiway"):
        return set()
    split = config.get("multiway_split_position", -1)
    return {{-1: "BranchA", 0: "BranchB"}.get(split, "Split" if split < length else "BranchA")}


def feed_forward_flags(config, inputs):
    found = chosen(SubNorm=config.get("subln"), OtherEpsilon=config.get("layernorm_eps", 1e-5) != 1e-5)
    return found | {activation_flag(config["activation_fn"])} | size_flags(terms=max(config["ffn_dim"], config["embed_dim"]))


def attention_flags(config, inputs):
    args, (_, length, width) = config["args"], inputs["query"].shape
    found = chosen(
        SubNorm=config.get("subln"),
        Causal=config.get("causal"),
        NotCausal=not config.get("causal"),
        XPos=args.get("xpos_rel_pos"),
        PaddingMask="key_padding_mask" in inputs,
    )
    return found | multiway_flags(args, config, length) | size_flags(length, length, width)


def norm_flags(args, release_places_norms):
    """Where the norms stand, after DecoderConfig.postprocessing."""
    deep, sub = args.get("deepnorm", False), args.get("subln", True)
    before = args.get("decoder_normalize_before", True)
    sub = sub and not deep
    if release_places_norms and (deep or sub):
        before = sub
    return {("PreLN" if before else "PostLN") if not sub else ("SubLN" if before else "PostSubLN")} | chosen(DeepNorm=deep)


def decoder_flags(config, inputs, release_places_norms):
    args, length = config["args"], inputs["prev_output_tokens"].shape[1]
    tied = args.get("share_decoder_input_output_embed")
    padding = (config["embed_tokens"] or {}).get("padding_idx")
    found = chosen(
        XPos=args.get("xpos_rel_pos"),
        OddLength=args.get("xpos_rel_pos") and length % 2,
        RelativePositions=args.get("rel_pos_buckets", 0) > 0 and args.get("max_rel_pos", 0) > 0,
        BeyondMaxDistance=args.get("rel_pos_buckets", 0) > 0 and length > args.get("max_rel_pos", 0),
        Positions=config.get("embed_positions"),
        NoPositions=not config.get("embed_positions"),
        Tied=tied,
        Untied=not tied,
        ScaledEmbedding=not args.get("no_scale_embedding", True),
        EmbeddingNorm=args.get("layernorm_embedding"),
        OtherEpsilon=args.get("layernorm_eps", 1e-5) != 1e-5,
        PaddingMask="self_attn_padding_mask" in inputs,
        PaddingId=padding is not None and (inputs["prev_output_tokens"] == padding).any(),
        Incremental=config.get("incremental"),
        Embeddings="token_embeddings" in inputs,
        InertOptions={"alibi_pos_bias", "alibi_num_heads", "max_target_positions"} & set(args),
    )
    found |= norm_flags(args, release_places_norms) | multiway_flags(args, config, length)
    return found | {activation_flag(args.get("activation_fn", "gelu"))} | size_flags(length, length, args["decoder_ffn_embed_dim"])
