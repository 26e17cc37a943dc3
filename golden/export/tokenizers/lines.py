"""Lines of text that are made from fragments and random characters. Any language can make the same lines: the random numbers are words
of FORMAT.md §4, and the fragments and ranges are in lines.json beside what is computed from the lines."""

from ..common.values.generator import words

SEED, COUNT = 1311, 10_000

FRAGMENTS = [
    "The quick brown fox jumps over the lazy dog.", " and", " the", "I'm", "you've", "they'LL", "don't", "it's", "we'd", "'tis",
    "def attention(q, k, v, mask=None):\n    return softmax(q @ k.T / d ** 0.5) @ v", "for (let i = 0; i < n; i++) { sum += x[i]; }",
    "#include <stdio.h>", "{\"key\": [1, 2.5e-3, null]}", "<div class=\"a\">&nbsp;</div>", "https://example.org/a?b=c&d=%20#e", "SELECT * FROM t;",
    "1234567890", "3.14159", "1,000,000", "０１２３", "٣٤٥", "½ ⅓ ⅷ ② ㊿", "x²+y³≤∞", "e=mc²", "Ⅳ", "৪২", "𝟘𝟙𝟚", "\t12\t",
    "Größe Straße ÄÖÜ ẞ", "façade naïve Ærøskøbing", "Ŝanĝoj ĉiuĵaŭde", "İstanbul ısı", "Ελληνικά ΣΟΦΌΣ ς", "Съешь ещё этих мягких", "Ѐѝ",
    "漢字とかなカナ", "ｶﾞﾊﾟ ㍿ ㌀", "简体中文。繁體中文", "한국어 텍스트", "각", "עִבְרִית", "العَرَبِيَّة ﷺ ﻻ", "हिन्दी क़ख़", "ไทยภาษา", "தமிழ்", "አማርኛ", "ᏣᎳᎩ ꭰꭱ",
    "ﬁ ﬂ ﬃ ſt", "ａｂｃＡＢＣ～！", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒷ℴ𝓁𝒹", "🙂", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇫🇷", "👍🏽", "☃️", "e\u0301e\u0300\u0323", "n\u0303", "o\u0308\u0304", "\u0344\u0385",
    "Å Å Å", "Z͑ͫ̓a̸l̵g̶o", "…—–‘’“”«»", "¡¿§¶†‡", "¤€£¥₿", "‰‱", "→⇒↦", "\\n\\t", "a_b__c", "CamelCaseWord", "SHOUTING", "x" * 40, "ab" * 20, "!!!???...",
    "____", "-----", "=====", "\\(\\alpha\\)", "~/.bashrc", "C:\\dir", "@user #tag", "it ' s", "do n't", "a . b , c ! d ?", "word.Word",
]
SPACES = [
    " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \t ", "\u00a0", "\u1680", "\u2000", "\u2009", "\u200b", "\u200c", "\u200d", "\u2028", "\u2029", "\u202f",
    "\u205f", "\u3000", "\ufeff", "\u0085", "\u000b", "\u000c", "\u001c", "\u001f", "\u0000", "\u0001", "\u007f", "\u009f", "\u00ad", "\u180e", "\ufffd", "\u2581",
]
SPECIALS = [
    "<s>", "</s>", "<unk>", "<pad>", "<image>", " <image> ", "<|endofchunk|>", "<|im_start|>user\n", "<|im_end|>", "<|endoftext|>", "[MASK]", "  [MASK]  ", "word", "aword",
    "word word", "⁂", "ＷＩＤＥ", "wide", "ＷＩＤＥwide", "<0x0A>", "<image><image>", "<image", "s>",
]
RANGES = [
    [0x00, 0x1F], [0x20, 0x7E], [0x7F, 0xFF], [0x100, 0x24F], [0x250, 0x36F], [0x370, 0x52F], [0x531, 0x6FF], [0x700, 0xDFF], [0xE00, 0x11FF], [0x1200, 0x1FFF],
    [0x2000, 0x2BFF], [0x2C00, 0x2FFF], [0x3000, 0x33FF], [0x4E00, 0x9FFF], [0xA000, 0xABFF], [0xAC00, 0xD7A3], [0xE000, 0xE0FF], [0xF900, 0xFFFF],
    [0x10000, 0x107FF], [0x10800, 0x10FFF], [0x11000, 0x12FFF], [0x1D100, 0x1D7FF], [0x1E000, 0x1EFFF], [0x1F000, 0x1FAFF], [0x20000, 0x2A6DF], [0xE0000, 0xE01FF],
]


def line(number):
    """Two to nine pieces: a fragment (half of them), up to six characters of a range (three in ten), white space or a special token."""
    numbers = iter([int(word) >> 32 for word in words(SEED, f"line/{number}", 0, 80)])

    def below(n):
        return next(numbers) * n >> 32

    parts = []
    for _ in range(2 + below(8)):
        kind = below(10)
        if kind < 5:
            parts.append(FRAGMENTS[below(len(FRAGMENTS))])
        elif kind < 8:
            first, last = RANGES[below(len(RANGES))]
            parts.append("".join(chr(first + below(last - first + 1)) for _ in range(1 + below(6))))
        else:
            choices = SPACES if kind == 8 else SPECIALS
            parts.append(choices[below(len(choices))])
        if below(2):
            parts.append(" ")
    return "".join(parts)


def lines():
    return [line(number) for number in range(COUNT)]


def described():
    return {"seed": SEED, "count": COUNT, "fragments": FRAGMENTS, "spaces": SPACES, "specials": SPECIALS, "ranges": RANGES}
