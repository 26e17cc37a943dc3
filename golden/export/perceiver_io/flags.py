"""The features that a case exercises, from its configuration and its inputs."""


def values(config):
    """All members of a configuration, those of nested modules too."""
    for name, given in config.items():
        yield name, given
        if isinstance(given, dict):
            yield from values(given)


def flags(case):
    config, found = dict(values(case["config"])), set()
    found |= {f"Prep{config['prep_type'].capitalize()}"} if config.get("prep_type") in ("conv", "conv1x1", "patches", "pixels") else set()
    found |= {"Gradients"} if case.get("grads") else set()
    for argument, flag in {"attention_mask": "Mask", "attention_bias": "Bias", "input_mask": "InputMask", "query_mask": "QueryMask"}.items():
        found |= {flag} if argument in case["call"] else set()
    for option, flag in {
        "return_matrix": "Matrix",
        "project_pos_dim": "Projector",
        "sine_only": "SineOnly",
        "concat_preprocessed_input": "InputQuery",
        "input_mask_probs": "MaskedModality",
        "output_query_padding_channels": "PaddedQueries",
        "conv_after_patching": "AfterPatches",
    }.items():
        found |= {flag} if config.get(option) else set()
    found |= {"NoQueryResidual"} if config.get("use_query_residual") is False else set()
    found |= {"AddedPositions"} if config.get("concat_or_add_pos") == "add" else set()
    found |= {"Subsampled"} if any("subsampled" in argument for argument in case["call"]) else set()
    found |= {"Video"} if config.get("num_frames", 1) > 1 else set()
    found |= {"Tiles"} if "test_mode" in case["call"] else set()
    return sorted(found)
