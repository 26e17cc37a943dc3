"""The packages behind the masks: how each is installed, and which of its options are run.

`folder` is where `install.py` puts it; `stubs` are modules it imports and that its cross-attention does not use.
"""

FLAMINGO_PYTORCH = "0.0.3 0.0.4 0.0.5 0.0.6 0.0.7 0.0.8 0.0.9 0.0.10 0.0.11 0.0.12 0.0.14 0.0.15 0.0.16 0.0.17 0.1.0 0.1.1 0.1.2".split()


def _lucidrains():
    for version in FLAMINGO_PYTORCH:
        number = tuple(map(int, version.split(".")))
        base = {"adapter": "flamingo_pytorch", "package": "flamingo-pytorch", "version": version, "cached": []}
        if number < (0, 0, 4):
            yield {**base, "name": f"flamingo-pytorch-{version}", "convention": "flamingo-pytorch@0.0.3", "options": {}}
        elif number < (0, 0, 15):
            yield {**base, "name": f"flamingo-pytorch-{version}", "convention": "flamingo-pytorch@0.0.4", "options": {}}
        else:
            told = "0.1.2" if version == "0.1.2" else "0.0.16"
            for mode, immediate in (("immediate", True), ("all-previous", False)):
                yield {
                    **base,
                    "name": f"flamingo-pytorch-{version}--{mode}",
                    "convention": f"flamingo-pytorch@{told} {mode}",
                    "options": {"only_attend_immediate_media": immediate},
                }


PASSES = ["steps", "chunks", "several"]

SOURCES = [
    *_lucidrains(),
    # open-flamingo 0.0.1 has no model in it
    {"adapter": "open_flamingo_1", "package": "open-flamingo", "version": "0.0.2", "cached": PASSES,
     "name": "open-flamingo-0.0.2", "convention": "open-flamingo@0.0.2", "options": {}},
    *(
        {"adapter": "open_flamingo_2", "package": "open-flamingo", "version": version, "cached": PASSES,
         "name": f"open-flamingo-{version}{suffix}", "convention": f"open-flamingo@2.0.1{told}", "options": options}
        for version in ("2.0.0", "2.0.1")
        for suffix, told, options in (
            ("", "", {}), ("--all-previous", " all-previous", {"only_attend_immediate_media": False}),
        )
    ),
    {"adapter": "flamingo_mini", "package": "flamingo-mini", "version": "0.0.2, commit 8a8feae", "cached": PASSES,
     "name": "flamingo-mini", "convention": "flamingo-mini", "options": {}},
    {"adapter": "otter", "package": "otter-ai", "version": "0.0.0a8", "cached": PASSES,
     "name": "otter-ai-0.0.0a8", "convention": "otter", "options": {}},
    *(
        {"adapter": "idefics", "package": "transformers", "version": version, "cached": ["steps", "chunks", "several"],
         "name": f"idefics-{version}", "convention": "idefics", "options": {}, "ends": True}
        for version in ("5.23.0",)
    ),
    *(
        {"adapter": "mllama", "package": "transformers", "version": version, "cached": ["steps", "chunks", "several"],
         "name": f"mllama-{version}", "convention": "mllama transformers", "options": {}}
        for version in ("5.23.0",)
    ),
    {"adapter": "llama_models", "package": "llama-models", "version": "0.3.0", "cached": ["steps", "chunks", "several"],
     "name": "llama-models-0.3.0", "convention": "mllama reference", "options": {}},
    {"adapter": "torchtune", "package": "torchtune", "version": "0.6.1", "cached": [],
     "name": "torchtune-0.6.1", "convention": "mllama torchtune", "options": {}},
]
