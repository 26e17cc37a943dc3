"""The state dict of a released module, with every shared tensor listed once."""


def own_state(module):
    """(key -> tensor, ties): a tensor that has two keys is listed under the first; `ties` maps the others to that key."""
    first, state, ties = {}, {}, {}
    for key, value in module.state_dict(keep_vars=True).items():
        if id(value) in first:
            ties[key] = first[id(value)]
        else:
            first[id(value)] = key
            state[key] = value
    return state, ties
