"""Small tokenizers of every kind that is read: trained on the text of a package, transformers' own source."""

import io
import json
from pathlib import Path

import sentencepiece
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from .lines import FRAGMENTS

PACKAGE = Path(transformers.__file__).parent
#: Files of the package, and how many characters of each.
TEXTS = {"modeling_utils.py": 60_000, "generation/utils.py": 60_000}


def corpus():
    text = "".join((PACKAGE / name).read_text()[:length] for name, length in TEXTS.items())
    return text.splitlines() + FRAGMENTS


def ascii_corpus():
    return [line for line in corpus() if line.isascii()]


def added():
    """Added tokens with every flag."""
    return [
        AddedToken("<image>", special=True, normalized=False),
        AddedToken("<|endofchunk|>", special=True, normalized=False, lstrip=True),
        AddedToken("[MASK]", special=True, normalized=False, lstrip=True, rstrip=True),
        AddedToken("word", special=False, normalized=False, single_word=True),
        AddedToken("⁂", special=False, normalized=True, rstrip=True),
        AddedToken("ＷＩＤＥ", special=False, normalized=True),
        AddedToken("CamelCase", special=False, normalized=True, single_word=True, lstrip=True),
    ]


def with_specials(tokenizer, *tokens):
    tokenizer.add_special_tokens(list(tokens))
    tokenizer.add_tokens(added())
    return tokenizer


def gpt2():
    """Byte-level BPE with GPT-2's pattern."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=900, initial_alphabet=alphabet, show_progress=False))
    return with_specials(tokenizer, "<|endoftext|>")


def opt():
    """As OPT and RoBERTa: a space in front, `</s>` before the text, a smaller alphabet so that bytes are unknown."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(ascii_corpus(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="</s> $A", special_tokens=[("</s>", 2)])
    return with_specials(tokenizer)


#: OpenAI's cl100k pattern, as LLaMA 3 has it, with Oniguruma's syntax.
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def digits():
    """Digits one at a time, then GPT-2's pattern; NFC before."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    split = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False))
    return with_specials(tokenizer, "<|im_start|>", "<|im_end|>")


def cl100k():
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    split = [pre_tokenizers.Split(Regex(CL100K), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False))
    return with_specials(tokenizer, "<|endoftext|>")


def byte_tokens():
    return [f"<0x{byte:02X}>" for byte in range(256)]


def llama():
    """As LLaMA: BPE over the whole text, spaces as ▁, unknown characters as bytes."""
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trained.pre_tokenizer = pre_tokenizers.Split(Regex("▁?[^▁]+"), "isolated")
    specials = ["<unk>", "<s>", "</s>", *byte_tokens()]
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=specials, show_progress=False)
    trained.train_from_iterator(ascii_corpus(), trainer)
    parts = json.loads(trained.to_str())["model"]
    merges = [tuple(pair) for pair in parts["merges"]]
    tokenizer = Tokenizer(models.BPE(parts["vocab"], merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = trained.normalizer
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return with_specials(tokenizer, "<unk>", "<s>", "</s>")


def metaspace():
    """BPE over words that begin with ▁, as newer LLaMA files have it; ▁ before the first word alone."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=["<unk>", "<s>"], show_progress=False)
    tokenizer.train_from_iterator(ascii_corpus(), trainer)
    return with_specials(tokenizer, "<unk>", "<s>")


def sentencepiece_model(**options):
    """The bytes of a .model file."""
    stream = io.BytesIO()
    given = {"vocab_size": 600, "num_threads": 1, "minloglevel": 2, "character_coverage": 0.999, **options}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(corpus()), model_writer=stream, **given)
    return stream.getvalue()


def processor(data):
    return sentencepiece.SentencePieceProcessor(model_proto=data)


def unigram():
    """Unigram with T5's pre- and post-processing, on pieces that SentencePiece trained; NFKC and spaces by patterns."""
    pieces = processor(sentencepiece_model(pad_id=0, eos_id=1, unk_id=2, bos_id=-1))
    vocabulary = [(pieces.id_to_piece(i), pieces.get_score(i)) for i in range(len(pieces))]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    spaces = normalizers.Replace(Regex(" {2,}"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), spaces])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return with_specials(tokenizer, "<pad>", "</s>", "<unk>")


def unigram_bytes():
    """Unigram with byte fallback, over the whole text."""
    pieces = processor(sentencepiece_model(byte_fallback=True, vocab_size=800))
    vocabulary = [(pieces.id_to_piece(i), pieces.get_score(i)) for i in range(len(pieces))]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=False, prepend_scheme="first")
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    return with_specials(tokenizer, "<unk>", "<s>", "</s>")


TOKENIZERS = {
    "gpt2": gpt2,
    "opt": opt,
    "digits": digits,
    "cl100k": cl100k,
    "llama": llama,
    "metaspace": metaspace,
    "unigram": unigram,
    "unigram-bytes": unigram_bytes,
}
