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


def answer(random):
    """Up to six words with spaces and marks between them."""
    words = [random.choice(WORDS) for _ in range(random.randint(0, 6))]
    text = "".join(word + random.choice(MARKS) for word in words)
    return text if random.random() < 0.2 else text.strip()


def variant(random, text):
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
    return text if kind == 4 else answer(random)


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
