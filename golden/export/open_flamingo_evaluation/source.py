"""What the evaluation scripts of open-flamingo 2.0.1 give their model, what they make of its outputs, and which examples RICES finds."""

import json

import torch

from ..common.source import Check, Source, same_bytes
from . import scripts

FILE = "open-flamingo-evaluation.json"

EXAMPLES = [
    {"caption": "  A cat on a mat.\n", "question": "How many cats?", "answers": ["one", "1"], "ocr": "look at \"this\"", "class_name": "yes"},
    {"caption": "\u00a0Two \"dogs\" run\u2003", "question": "Is it cold?", "answers": ["no"], "ocr": "", "class_name": "no"},
    {"caption": "\ufeffun café\x1c ", "question": " spaced  question ", "answers": [" yes, maybe "], "ocr": "it's\nfine", "class_name": "tench"},
    {"caption": "the query", "question": "What is it?", "answers": ["unused"], "ocr": "query's text", "class_name": "unused"},
]
OUTPUTS = [
    "a cat on a mat",
    ' a "cat"Output:a dogOutput:more',
    "Output first",
    "outputs stay, Outputs go",
    " a dog Question: is it? Short answer: no",
    "AnswerShort",
    "two, three, four",
    "two,three",
    "a Short-haired, brown dog",
    "question of answers\nQuestion",
    "",
    '""',
]
TASKS = {
    "caption": ("evaluate_captioning", "coco", {}),
    "vqa": ("evaluate_vqa", "vqav2", {}),
    "imagenet": ("evaluate_classification", "imagenet", {}),
    "hatefulMemes": ("evaluate_classification", "hateful_memes", {}),
}


def examples():
    """`image` stands for a picture: its number. The release asks every example of a classification for `ocr`, which its ImageNet lacks."""
    return [{**example, "image": i, "image_id": i, "question_id": i, "id": i} for i, example in enumerate(EXAMPLES)]


def prompts(evaluate, model):
    for name, (function, dataset, more) in TASKS.items():
        for shots in (0, 1, 2, 3):
            recorder = scripts.recorder(model, [""])
            scripts.run(evaluate, recorder, function, examples(), dataset, shots, **more)
            (call,) = recorder.calls
            (text,), (images,) = call.pop("batch_text"), call.pop("batch_images")
            yield {"task": name, "shots": shots, "text": text, "images": images, "settings": call}


def answers(evaluate, model):
    for name in ("caption", "vqa"):
        function, dataset, more = TASKS[name]
        for output in OUTPUTS:
            predictions = scripts.run(evaluate, scripts.recorder(model, [output]), function, examples(), dataset, 2, **more)
            given = predictions[3]["caption"] if name == "caption" else predictions[0]["answer"]
            yield {"task": name, "output": output, "answer": given}


class Features:
    """An image tower whose features of an image are the image."""

    def eval(self):
        pass

    def encode_image(self, images):
        return images.clone()


def retrieval(evaluate):
    generator = torch.Generator().manual_seed(7)
    features = torch.randn(9, 5, generator=generator, dtype=torch.float64) * torch.logspace(-1, 1, 9, dtype=torch.float64)[:, None]
    queries = torch.randn(3, 5, generator=generator, dtype=torch.float64) * 3
    rices = evaluate.RICES.__new__(evaluate.RICES)
    rices.dataset, rices.device, rices.batch_size = list(range(len(features))), "cpu", 4
    rices.model, rices.image_processor = Features(), lambda image: image
    rices.features = features / features.norm(dim=-1, keepdim=True)
    found = {k: rices.find(list(queries), k) for k in (1, 4, 9)}
    return {"features": features.tolist(), "queries": queries.tolist(), "normalized": rices.features.tolist(), "found": found}


def home(cases):
    return cases.parent / "data" / FILE


class Evaluation(Source):
    def export(self, request):
        if not request.wants("open-flamingo-evaluation"):
            return []
        evaluate, model = scripts.load(request.checkout)
        found = {
            "examples": EXAMPLES,
            "prompts": list(prompts(evaluate, model)),
            "answers": list(answers(evaluate, model)),
            "classNames": {"hatefulMemes": evaluate.HM_CLASSNAMES},
            "retrieval": retrieval(evaluate),
        }
        path = home(request.out)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n")
        return []

    def compare(self, committed, fresh, request):
        same = same_bytes(home(committed), home(fresh))
        return [Check(FILE, [] if same else ["differs from the file exported afresh"])]


SOURCE = Evaluation(__file__)
