"""The short form of ids in case files: a letter for each place of a token that has an id of its own, and a point for any other."""

from ..common.values import recipes

plain = recipes.input_recipe


def input_recipe(spec):
    """(shape, recipe); `ids` are those of the letters in `layout`."""
    if not isinstance(spec, dict) or "ids" not in spec:
        return plain(spec)
    rows, ids = spec["layout"], spec["ids"]
    place = [[b, i, ids[letter]] for b, row in enumerate(rows) for i, letter in enumerate(row) if letter != "."]
    return [len(rows), len(rows[0])], {"low": spec["low"], "high": spec["high"], "place": place}
