"""The tokenizer's files, from the vocabulary, the merges and the chat template of a GGUF file: byte-level BPE as tokenizers reads it."""

CONTROL = 3  # the token type of ggml for special tokens


def files(reader, longest):
    of = lambda name: reader.fields[f"tokenizer.{name}"].contents()
    if (of("ggml.model"), of("ggml.pre")) != ("gpt2", "smollm"):
        raise ValueError("the tokenizer is not SmolLM's byte-level BPE")
    tokens, types = of("ggml.tokens"), of("ggml.token_type")
    added = [added_token(index, tokens[index]) for index, kind in enumerate(types) if kind == CONTROL]
    special = {
        name: tokens[of(f"ggml.{key}_token_id")]
        for name, key in {"bos_token": "bos", "eos_token": "eos", "pad_token": "padding", "unk_token": "unknown"}.items()
    }
    merges = [merge.split(" ") for merge in of("ggml.merges")]
    return {
        "tokenizer.json": tokenizer_json(tokens, merges, added),
        "tokenizer_config.json": {
            "add_bos_token": of("ggml.add_bos_token"),
            "add_prefix_space": of("ggml.add_space_prefix"),
            "added_tokens_decoder": {str(one["id"]): without_id(one) for one in added},
            "additional_special_tokens": [tokens[1], tokens[2]],
            **special,
            "chat_template": of("chat_template"),
            "clean_up_tokenization_spaces": False,
            "model_max_length": longest,
            "tokenizer_class": "GPT2Tokenizer",
        },
        "special_tokens_map.json": {
            "additional_special_tokens": [tokens[1], tokens[2]],
            **{name: {**flags(), "content": content} for name, content in special.items()},
        },
    }


def flags():
    return {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}


def added_token(index, content):
    return {"id": index, "content": content, **flags(), "special": True}


def without_id(token):
    return {name: value for name, value in token.items() if name != "id"}


def byte_level(add_prefix_space):
    return {"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": True, "use_regex": True}


def tokenizer_json(tokens, merges, added):
    """SmolLM's rule (llama.cpp, LLAMA_VOCAB_PRE_TYPE_SMOLLM): each character of \\p{N} by itself, then GPT-2's pattern on the rest. A byte
    without a token is left out."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level(False)],
        },
        "post_processor": None,
        "decoder": byte_level(True),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: index for index, token in enumerate(tokens)},
            "merges": merges,
        },
    }
