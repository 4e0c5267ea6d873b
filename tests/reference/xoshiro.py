"""xoshiro256++ and Box-Muller in plain Python integers and floats (Blackman and Vigna 2021, doi:10.1145/3460772)."""

from __future__ import annotations

import math

MASK = (1 << 64) - 1


def _rotl(x: int, k: int) -> int:
    return ((x << k) | (x >> (64 - k))) & MASK


class Xoshiro256pp:
    """One generator; `state` is four 64-bit integers."""

    def __init__(self, state):
        self.s = [int(word) for word in state]

    def next(self) -> int:
        s = self.s
        result = (_rotl((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = _rotl(s[3], 45)
        return result

    def normals(self) -> tuple[float, float]:
        u = ((self.next() >> 11) + 1) / 2**53
        v = (self.next() >> 11) / 2**53
        r = math.sqrt(-2 * math.log(u))
        return r * math.cos(2 * math.pi * v), r * math.sin(2 * math.pi * v)


class Xoshiro128pp:
    """The generator of 32 bits; `state` is four 32-bit integers."""

    def __init__(self, state):
        self.s = [int(word) for word in state]

    def next(self) -> int:
        s, mask = self.s, (1 << 32) - 1

        def rotl(x, k):
            return ((x << k) | (x >> (32 - k))) & mask

        result = (rotl((s[0] + s[3]) & mask, 7) + s[0]) & mask
        t = (s[1] << 9) & mask
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 11)
        return result
