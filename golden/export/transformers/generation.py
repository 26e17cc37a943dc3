"""Generation: a language model that is a table, whose text `generate` of the package writes, and the package's list of logits processors.

TableLM             the logits of the next token are the row of the last one. `generate` holds the arguments of the package's `generate`; the outputs
                    are `sequences`, and `sequences_scores` with beams
LogitsProcessorList the processors that `generate` makes of its arguments (`generate`) and end tokens (`eos_token_id`), for prompts `input_ids`. The
                    outputs are the scores after each of them, `<i>.<class>`, and the probabilities after all, `probs`"""

import torch
from torch import nn
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from .precision import upcast

TOKENS = 9  # where a case names no vocab_size


class TableLM(PreTrainedModel, GenerationMixin):
    config_class = PretrainedConfig

    def __init__(self, generate, vocab_size=TOKENS):
        super().__init__(PretrainedConfig(vocab_size=vocab_size, is_encoder_decoder=False))
        self.arguments = generate
        self.table = nn.Parameter(torch.zeros(vocab_size, vocab_size))

    def forward(self, input_ids, **_):
        return CausalLMOutputWithPast(logits=self.table[input_ids])

    def prepare_inputs_for_generation(self, input_ids, **_):
        return {"input_ids": input_ids}

    def call(self, input_ids):
        with upcast(self):
            found = self.generate(input_ids=input_ids, **scored(self.arguments), use_cache=False)
        return outputs(found)


class ProcessorList(nn.Module):
    def __init__(self, generate, eos_token_id=None):
        super().__init__()
        self.config = GenerationConfig(**generate)
        self.config._eos_token_tensor = None if eos_token_id is None else torch.tensor(eos_token_id).reshape(-1)

    def call(self, input_ids, scores):
        owner = TableLM({}, scores.shape[1])
        processors = owner._get_logits_processor(self.config, input_ids_seq_length=input_ids.shape[1], device="cpu", model_kwargs={})
        found = {}
        for i, processor in enumerate(processors):
            scores = processor(input_ids, scores)
            found[f"{i}.{type(processor).__name__}"] = scores
        return found | {"probs": torch.softmax(scores, dim=-1)}


def scored(arguments):
    """Arguments of `generate` under which a search with beams also returns its scores."""
    beams = arguments.get("num_beams", 1) > 1
    return {"do_sample": False, **arguments} | ({"return_dict_in_generate": True, "output_scores": True} if beams else {})


def outputs(found):
    """What `generate` returns, by name."""
    if isinstance(found, torch.Tensor):
        return {"sequences": found}
    return {"sequences": found.sequences, "sequences_scores": found.sequences_scores}


CLASSES = {"TableLM": TableLM, "LogitsProcessorList": ProcessorList}
