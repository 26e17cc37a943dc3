"""Parameters and gradients of the cases: normally distributed float32 numbers, changed as an entry says."""

import numpy as np


def normal(seed, nth, shape):
    return np.random.default_rng([seed, nth]).standard_normal(shape, dtype=np.float32)


def uniform(seed, nth, shape):
    return np.random.default_rng([seed, nth, 1]).random(shape, dtype=np.float32)


def wide(values, seed, nth):
    """Magnitudes over twelve powers of ten."""
    return values * np.float32(10) ** (12 * uniform(seed, nth, values.shape) - 10)


def sparse(values, seed, nth):
    """Two of three are zero."""
    return np.where(uniform(seed, nth, values.shape) < 1 / 3, values, np.float32(0))


def zeros(values, seed, nth):
    """The first 300 and the last 20 are zero: a whole block, a part of one, and a part of the last."""
    changed = values.reshape(-1).copy()
    changed[:300] = changed[-20:] = 0
    return changed.reshape(values.shape)


def tiny(values, seed, nth):
    """Subnormal numbers in the first block and in the last elements, and numbers whose squares are subnormal in the second block."""
    changed = values.reshape(-1).copy()
    changed[:256] *= np.float32(1e-39)
    changed[256:512] *= np.float32(1e-20)
    changed[-20:] *= np.float32(1e-41)
    return changed.reshape(values.shape)


def negative(values, seed, nth):
    """The largest magnitude of a block is negative, and -1 is not in the map."""
    return -np.abs(values)


def large(values, seed, nth):
    """Squares near the end of float32's range."""
    return values * np.float32(1e18)


def cancelling(values, seed, nth):
    """Every other gradient is the opposite of one before, so that means cancel exactly or nearly."""
    return (values if nth % 2 else -values) if nth > 1 else values


CHANGES = {f.__name__: f for f in (wide, sparse, zeros, tiny, negative, large, cancelling)}


def made(entry):
    """name -> values of p0 and of the gradients g0, g1, …"""
    shape, seed = entry["shape"], entry["seed"]
    change = CHANGES.get(entry.get("gradients"), lambda values, seed, nth: values)
    found = {"p0": normal(seed, 0, shape)}
    for step in range(entry["steps"]):
        found[f"g{step}"] = change(normal(seed, step + 1, shape), seed, step + 1).astype(np.float32)
    return found
