"""Random answers and captions. The words are chosen so that every rule of the scorers decides some of them."""

WORDS = (
    "a an the man woman dog cat bike park STOP plate two none Ten zero red-and-white T-shirt U.S. 3.5 1,000 10:30 12-year-old can't cant "
    "dont isn't isnt hes Im ive somebody'd lets she's shes y'alld've 'ow'sat they'll café İstanbul ΣΑΣ ²½ no. Mr. a.m. $5 50% #1 & wanna cannot "
    "o'clock 1/2 5th 1990s dogs' man's O'Brien St. vs. and/or half-eaten the_end a-b x=y [sic] {x} <b> @home \\n a.b 3. .5 1.0 2,5 e\u0301 \u00aa"
).split(" ")
MARKS = [" ", " ", " ", " ", " ", " ", "  ", ", ", "; ", ",", ". ", " - ", "\t", "\n", "\u00a0", "\u2003", "\x1c", "? ", "! ", "/", ": "]
CAPTION_WORDS = (
    "a an the man woman dog cat bike T-shirt black-and-white laptop surfboard U.S. park STOP sign plate pizza two 12-year-old 3.5 1,000 10:30 1990s "
    "5th 21st can't won't isn't he's they'll we've I'd I'm you're cannot gonna wanna gimme dogs' man's street train skateboard and/or frisbee café "
    "O'Brien half-eaten Mr. Dr. St. vs. a.m. p.m. ice-cream 1/2 T.V. no one red re-entry mother-in-law 7 42 snow-covered $5 50% & #1 o'clock NY "
    "2-story A+ children's James' wouldn't doesn't let's it's that's didn't who's"
).split(" ")


# Apostrophes and quotation marks of typography, numbers as words and with marks in them, other scripts, and nothing.
ODD_WORDS = (
    "don\u2019t dont don\u2018t don`t isn\u2019t IT\u2019S its it\u2019s y\u2019all o\u2019clock oclock \u2018ow\u2019s\u2019at 'twas twas couldnt've couldn'tve shouldve let's "
    "THE An A. the. the, a-the none None. zero ZERO Two, ten. eleven twenty-one 0 00 007 1,000,000 1, 000 ,5 5, 1.000,5 3.14.15 .5. 1. 2.x x.2 $1,5 1/2 3:00 50% "
    "\u0662,\u0663 \u0662.\u0663 \uff11,\uff12 \u00bd \u00b2,\u00b2 \u2460 \u65e5\u672c \ud55c\uad6d \u0645\u0631\u062d\u0628\u0627 \u00e9 e\u0301 stra\u00dfe STRASSE \u0130 I\u0307 \u03a3\u0391\u03a3 \ufb01 "
    "\U0001f600 \U0001f468\u200d\U0001f469 \u200b \ufeff \u00ad \u2026 \u2014 \u201cred\u201d \u00abbleu\u00bb \u3002 \uff0c ; / [ ] \" { } ( ) = + \\ _ - > < @ ` , ? ! ' ''"
).split(" ")
ODD_MARKS = [" "] * 8 + ["", "", ", ", ",", ".", "-", "\t", "\n", "\r", "\x0b", "\x85", "\u2028", "\u00a0", "\u3000", "\u180e", "\u200b", "\x1f", "'", "\u2019"]


def odd_answer(random):
    words = [random.choice(ODD_WORDS if random.random() < 0.6 else WORDS) for _ in range(random.choice([0, 0, 1, 1, 2, 3, 5, 9]))]
    return "".join(word + random.choice(ODD_MARKS) for word in words)


def answer(random):
    """Up to six words with spaces and marks between them."""
    words = [random.choice(WORDS) for _ in range(random.randint(0, 6))]
    text = "".join(word + random.choice(MARKS) for word in words)
    return text if random.random() < 0.2 else text.strip()


def variant(random, text, make=answer):
    """An answer that may be the same after normalization, or nearly."""
    kind = random.randint(0, 5)
    if kind == 0:
        return text.upper()
    if kind == 1:
        return f"the {text}."
    if kind == 2:
        return text.replace("'", "").replace("-", " ")
    if kind == 3:
        words = text.split()
        random.shuffle(words)
        return " ".join(words)
    return text if kind == 4 else make(random)


def quoted(random, word):
    x = random.random()
    return f'"{word}"' if x < 0.04 else f"({word})" if x < 0.07 else f"'{word}'" if x < 0.08 else word


CAPTION_MARKS = [(0.07, ", "), (0.09, "; "), (0.1, ": "), (0.11, " - "), (0.12, " -- "), (0.13, "... "), (0.15, "  "), (0.19, ". "), (0.2, "! "), (1, " ")]


def caption(random):
    """A caption with a space or a mark and a space between its words."""
    text = ""
    for _ in range(random.randint(1, 14)):
        x = random.random()
        text += quoted(random, random.choice(CAPTION_WORDS)) + next(mark for most, mark in CAPTION_MARKS if x < most)
    return f"{text.strip()}{random.choice(['', '.', '', '.', '!', '?', ' .', '!!'])}"


# Pieces of captions that the tokenizer's rules treat by themselves, to be put together with and without spaces.
ODD_PIECES = (
    "a an the man dog cat's dogs' T-shirt black-and-white U.S. STOP 12-year-old 3.5 1,000 10:30 1990s 5th 21st can't won't he's they'll we've I'd I'm you're cannot "
    "gonna wanna gimme gotta lemme and/or caf\u00e9 O'Brien half-eaten Mr. Dr. St. vs. a.m. p.m. 1/2 T.V. no. 5 42 $5 50% & #1 o'clock NY A+ children's James' y'all "
    "ma'am c'mon 'cause 'tis 'twas 'em 'n' 'til '90s '05 rock'n'roll d'Artagnan l'eau ol' flickr.com a.txt www.foo.org http://a.com/b?c=d&e https://x.org "
    "foo@bar.com a_b@c.de :) :-) ;) :D :P =) :( <3 >_< ^_^ <person> </a> <br/> #hashtag @user 50c 2pm 6ft 4x4 21st-century c++ C# -5 +5 -3.5 snake_case _x_ "
    "__init__ AT&T R&B Q&A &amp; &lt; &quot; &eacute; 1 1\u00bd \u00bd \u00bc \u00a35 \u20ac5 \u00a2 5\u00a2 US$5 555-1234 (555) (555)555-1234 1-800-555-1234 192.168.0.1 "
    "01/02/2003 2003-01-02 24/7 w/ w/o n/a s/he his/her sleeping.The word.word what?! !!! ... .. -- --- \u2013 \u2014 \u2026 \u2018a\u2019 \u201cb\u201d \u2019s don\u2019t it\u2019s "
    "\u2019em \u2019til rock \u2019n\u2019 roll `a' ``b'' \"q\" 'q' (x) [x] {x} * ** *** ~ | \\ / \u00b2 \u00b3 \u2122 \u00ae \u00a9 \u00b0 20\u00b0C \u00d7 \u2022 \u2116 \u00e9 e\u0301 \u00f1 \u00df \u0130 "
    "\u03a3 \u0391\u03a3 \u65e5\u672c \ud55c\uad6d \u0645\u0631\u062d\u0628\u0627 \u0661\u0662 \uff12 \u00ad co\u00adop \u200b \u00a0 \u3000 \U0001f600 a\U0001f600b Ph.D. e.g. i.e. etc. Inc. Jan. Fig. Ave. a.k.a. No. nos. "
    "pp. A. I. dept. Calif. mass. Mass. 1st. 5. .5 5' 6\" 5'10\" 6'4 $1,000.50 5-10 $5-$10 1:2 16:9 3D 3-D F-16 mp3 H2O 7-Eleven 50kg 5x7 8x10\" iPhone6 A/C "
    "b/w B&W K-9 X-ray non-U.S. U.S.-based Messrs. The However"
).split(" ") + ["St. Louis", "1 1/2", "12 3/4", "(555) 555-1234", ". A", "no. 5", "+12 345 6789", '<a href="x">']
ODD_CHARACTERS = (
    list("aABbnNtTsSdDoOlLmeyZ0125''.,-/_&@#$%:;()!?+*<>=\"`~|\\[]{}^  ") + list("\u00e9\u00e4\u00b2\u00bd\u2026\u2013\u2014\u2018\u2019\u201c\u201d\u00a3\u20ac")
)


def odd_caption(random):
    """Pieces with and without spaces between them, and characters in any order."""

    def together():
        return "".join(random.choice(ODD_PIECES if random.random() < 0.7 else ODD_CHARACTERS) for _ in range(random.randint(2, 5)))

    def characters():
        return "".join(random.choice(ODD_CHARACTERS) for _ in range(random.randint(2, 6)))

    words = []
    for _ in range(random.randint(1, 7)):
        x = random.random()
        words.append(random.choice(ODD_PIECES) if x < 0.45 else together() if x < 0.8 else characters())
    return " ".join(words)


def character_captions():
    """Characters beyond ASCII between letters, behind a letter and by themselves: all up to U+0600, and every thirteenth of the Basic Multilingual Plane."""
    codes = [c for c in range(0x80, 0x10000) if (c < 0x600 or c % 13 == 0) and not 0xD800 <= c < 0xE000 and c not in (0x2028, 0x2029)]
    for at in range(0, len(codes), 16):
        yield " ".join(f"aa{chr(c)}bb x{chr(c)} {chr(c)}" for c in codes[at : at + 16])
