"""The dictionary of unilm's Kosmos over a SentencePiece model, from its source (microsoft/unilm, kosmos-2): fairseq's four symbols, the lines of
dict.txt, which are the pieces in their order but for SentencePiece's three, and the symbols that the task adds; text_transform looks pieces
up by their text, after special symbols were cut out (demo/gradio_app.py); text is what SentencepieceBPE.decode makes of Dictionary.string."""

import re

FIRST = ["<s>", "<pad>", "</s>", "<unk>"]
LAST = ["<mask>", "</doc>", "<image>", "</image>", "</chunk>", "</line>"]
CUT = re.compile("(" + "|".join(re.escape(symbol) for symbol in LAST) + ")")


class Dictionary:
    def __init__(self, model):
        self.model = model
        pieces = [model.id_to_piece(i) for i in range(len(model))]
        self.symbols = FIRST + [piece for i, piece in enumerate(pieces) if not (model.is_control(i) or model.is_unknown(i))] + LAST
        self.indices = {symbol: i for i, symbol in enumerate(self.symbols)}
        assert len(self.indices) == len(self.symbols)

    def encode(self, text):
        ids = []
        for part in CUT.split(text):
            words = [part] if part in LAST else self.model.encode(part, out_type=str)
            ids += [self.indices.get(word, self.indices["<unk>"]) for word in words]
        return ids

    def decode(self, ids):
        shown = [self.symbols[i] for i in ids if self.symbols[i] not in ("<s>", "</s>")]
        return " ".join(shown).replace(" ", "").replace("\u2581", " ").strip()
