"""The evaluation scripts of the checkout, without what they import for data sets, scores of captions, several processes and the image tower.

evaluate.py runs as it is. Its data sets are lists of examples, its model records what it is given, and scores are not computed."""

import importlib
import sys
import tempfile
import types
from contextlib import chdir
from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401  before the stubs, among which they would look for packages

STUBS = {
    "open_clip": {},
    "sklearn": {},
    "sklearn.metrics": {"roc_auc_score": lambda truth, scores: scores},
    "torchvision": {},
    "torchvision.datasets": {"ImageFolder": object},
    "pycocoevalcap": {},
    "pycocoevalcap.eval": {"COCOEvalCap": None},
    "pycocotools": {},
    "pycocotools.coco": {"COCO": None},
    "nltk": {"stem": types.SimpleNamespace(WordNetLemmatizer=lambda: None)},
    "nltk.corpus": {},
    "nltk.corpus.reader": {"VERB": "v"},
    "inflection": {},
    "open_flamingo.train": {},
    "open_flamingo.train.distributed": {"init_distributed_device": None, "world_info_from_env": None},
}


def load(checkout):
    """evaluate.py and the class of the model, from the checkout alone."""
    for name, members in STUBS.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(members)
    folder = Path(checkout).resolve()
    sys.path[:0] = [str(folder), str(folder / "open_flamingo/eval")]
    package = types.ModuleType("open_flamingo")  # its __init__ makes models, which nothing here needs
    package.__path__ = [str(folder / "open_flamingo")]
    sys.modules["open_flamingo"] = package
    evaluate = importlib.import_module("evaluate")
    model = importlib.import_module("open_flamingo.eval.models.open_flamingo").EvalModel
    return evaluate, model


def recorder(model, answers):
    """A model that writes the release's prompts and records what it is given."""

    class Recorder(model):
        def __init__(self):
            self.device, self.lm_name, self.calls = "cpu", "none", []

        def get_outputs(self, **given):
            self.calls.append(given)
            return [answers[i % len(answers)] for i, _ in enumerate(given["batch_text"])]

        def get_rank_classifications(self, batch_text, batch_images, all_class_names, use_cache, normalize_length):
            import torch

            self.calls.append({"batch_text": batch_text, "batch_images": batch_images, "normalize_length": normalize_length})
            return torch.arange(len(all_class_names), dtype=torch.float64).repeat(len(batch_text), 1)

    return Recorder()


class Arguments(types.SimpleNamespace):
    """Arguments of the command; those that are not given, the paths of data sets, are None."""

    def __getattr__(self, name):
        return None


def run(evaluate, model, function, examples, dataset, shots, **more):
    """The calls of the model: every example is the query of a batch of one, with the others before it as demonstrations."""
    query, demonstrations = examples[-1], examples[: shots or 2]
    args = Arguments(model="open_flamingo", rices=False, num_samples=-1, batch_size=1, query_set_size=2, rank=0, world_size=1, imagenet_root="")
    args.vqav2_test_annotations_json_path = "none"
    for name in ("CaptionDataset", "VQADataset", "ImageNetDataset", "HatefulMemesDataset"):
        setattr(evaluate, name, lambda *_, **__: [query])
    evaluate.utils.prepare_eval_samples = lambda *_: [evaluate.utils.custom_collate_fn([query])]
    evaluate.utils.get_query_set = lambda *_: demonstrations
    evaluate.utils.sample_batch_demos_from_query_set = lambda *_: [list(demonstrations)]
    saved = []

    def gather(everything, own):
        everything[0] = own
        saved.append(own)

    evaluate.torch.distributed.all_gather_object = gather
    evaluate.compute_cider = lambda **_: {"CIDEr": 0}
    evaluate.compute_vqa_accuracy = lambda *_: 0
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        getattr(evaluate, function)(args, eval_model=model, num_shots=shots, dataset_name=dataset, **more)
    return saved[0]
