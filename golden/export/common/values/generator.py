"""The random number generator of FORMAT.md §4: SplitMix64 keyed by the tensor's name, so that every tensor can be generated independently."""

import numpy as np

GAMMA = np.uint64(0x9E3779B97F4A7C15)
CHUNK = 1 << 24  # bytes generated at a time, to limit the peak memory of a large tensor


def fnv1a64(text):
    state = 0xCBF29CE484222325
    for byte in text.encode("utf-8"):
        state = (state ^ byte) * 0x100000001B3 % 2**64
    return state


def mix(z):
    """SplitMix64's finaliser, in place on an array of uint64 (arithmetic wraps modulo 2^64)."""
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


def words(seed, name, first, count):
    """Words first … first+count−1 of the stream named "<seed>/<name>"."""
    steps = np.arange(first + 1, first + count + 1, dtype=np.uint64)
    steps *= GAMMA
    steps += np.uint64(fnv1a64(f"{seed}/{name}"))
    return mix(steps)


def octets(seed, name, first, count):
    """`count` bytes starting at word `first`; the least significant byte of each word comes first."""
    return words(seed, name, first, -(-count // 8)).astype("<u8", copy=False).view(np.uint8)[:count]


def dyadic(seed, name, count, mean, exponent, bits, dtype=np.float64):
    """mean + k·2^exponent, where k is uniform over the signed integers of `bits` bits; with `bits` 0 every element is the mean."""
    out = np.full(count, mean, dtype)
    if bits == 0:
        return out
    for start in range(0, count, CHUNK):
        some = octets(seed, name, start // 8, min(CHUNK, count - start))
        k = (some >> np.uint8(8 - bits)).astype(dtype) - 2.0 ** (bits - 1)
        out[start : start + CHUNK] += k * 2.0**exponent
    return out


def integers(seed, name, count, low, high):
    """Integers n with low ≤ n < high, computed from the upper half of each word."""
    upper = words(seed, name, 0, count) >> np.uint64(32)
    return (low + ((upper * np.uint64(high - low)) >> np.uint64(32)).astype(np.int64)).astype(np.int64)
