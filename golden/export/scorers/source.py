"""What the official scorers make of random answers, captions and scores."""

import json
import random
import re
import types

from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer
from sklearn.metrics import accuracy_score, roc_auc_score
from transformers.data.metrics import squad_metrics

from ..common.source import Check, Source, same_bytes
from . import texts

FILE = "scores.json"
PAIRS = 1000
ODD_PAIRS = 500
ODD_CAPTIONS = 4000
# How answers are made: plain ones, then odd ones.
ANSWERS = [texts.answer] * PAIRS + [texts.odd_answer] * ODD_PAIRS


def official(checkout):
    """The class VQAEval, which is Python 2: its print statements become calls, its tabs stay."""
    code = (checkout / "PythonEvaluationTools/vqaEvaluation/vqaEval.py").read_text()
    module = types.ModuleType("vqaEval")
    exec(compile(re.sub(r"\bprint (\"[^\n]*)", r"print(\1)", code), "vqaEval.py", "exec"), module.__dict__)
    return module.VQAEval


class Questions:
    """What VQAEval asks its annotations and results for."""

    def __init__(self, entries):
        self.qa = entries

    def getQuesIds(self):
        return list(self.qa)


def vqa(checkout):
    rng = random.Random(1)
    questions = []
    for make in ANSWERS:
        right = make(rng)
        annotators = [texts.variant(rng, right, make) if rng.random() < 0.5 else right for _ in range(rng.choice([1, 2, 3, 10, 10, 10]))]
        if rng.random() < 0.2:
            annotators = [right] * len(annotators)
        questions.append({"answer": texts.variant(rng, right, make) if rng.random() < 0.7 else right, "annotators": annotators})
    annotations = {
        i: {"answers": [{"answer": one, "answer_id": k} for k, one in enumerate(q["annotators"])], "question_type": "x", "answer_type": "other"}
        for i, q in enumerate(questions)
    }
    evaluation = official(checkout)(Questions(annotations), Questions({i: {"answer": q["answer"]} for i, q in enumerate(questions)}))
    evaluation.n = 20  # digits
    evaluation.updateProgress = lambda _: None
    normalized = [evaluation.processDigitArticle(evaluation.processPunctuation(q["answer"])) for q in questions]
    evaluation.evaluate()
    return [{**q, "normalized": normalized[i], "percent": evaluation.evalQA[i]} for i, q in enumerate(questions)]


def spans():
    rng = random.Random(2)
    for make in ANSWERS:
        right = [make(rng) for _ in range(rng.randint(1, 3))]
        answer = texts.variant(rng, rng.choice(right), make)
        example = types.SimpleNamespace(qas_id=0, answers=[{"text": one} for one in right])
        exact, f1 = squad_metrics.get_raw_scores([example], {0: answer})
        yield {"answer": answer, "right": right, "exact": exact[0], "f1": f1[0]}


def classes():
    rng = random.Random(3)
    for _ in range(PAIRS):
        n = rng.randint(2, 12)
        scores = [rng.randint(0, 4) / 4 if rng.random() < 0.5 else rng.random() for _ in range(n)]
        labels = [rng.random() < 0.5 for _ in range(n)]
        labels[:2] = [True, False]
        predicted = [score > 0.5 for score in scores]
        yield {"scores": scores, "labels": labels, "auc": roc_auc_score(labels, scores), "accuracy": accuracy_score(labels, predicted)}


def captions():
    rng = random.Random(4)
    found = [texts.caption(rng) for _ in range(PAIRS)] + [texts.odd_caption(rng) for _ in range(ODD_CAPTIONS)]
    found += texts.character_captions()
    # The tokenizer looks beyond the end of a line ("no." before a number). In the evaluation that is another image's caption; here it is a word.
    tokens = PTBTokenizer().tokenize({i: [{"caption": one}, {"caption": "x"}] for i, one in enumerate(found)})
    return [{"caption": one, "tokens": tokens[i][0]} for i, one in enumerate(found)]


def cider():
    """Sets of images, from one to several hundred, with one to five references each."""
    rng = random.Random(5)
    words = "a the man woman dog cat on in red blue park runs sits eats with two plays".split()
    line = lambda: " ".join(rng.choice(words) for _ in range(rng.randint(0, 12)))
    for size in (1, 2, 3, 14, 60, 320, 600):
        images = [{"candidate": line(), "references": [line() for _ in range(rng.randint(1, 5))]} for _ in range(size)]
        for image in images[:: 7]:
            image["candidate"] = image["references"][0]
        score, scores = Cider().compute_score(
            {i: one["references"] for i, one in enumerate(images)}, {i: [one["candidate"]] for i, one in enumerate(images)}
        )
        yield {"images": images, "score": float(score), "scores": [float(one) for one in scores]}


def home(cases):
    return cases.parent / "data" / FILE


class Scores(Source):
    def export(self, request):
        if not request.wants("scores"):
            return []
        found = {
            "vqa": vqa(request.checkout),
            "spans": list(spans()),
            "classes": list(classes()),
            "captions": captions(),
            "cider": list(cider()),
        }
        lines = [f'"{name}": [\n' + ",\n".join(map(json.dumps, part)) + "\n]" for name, part in found.items()]
        path = home(request.out)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        return []

    def compare(self, committed, fresh, request):
        same = same_bytes(home(committed), home(fresh))
        return [Check(FILE, [] if same else ["differs from the file exported afresh"])]


SOURCE = Scores(__file__)
