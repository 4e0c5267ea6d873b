"""Source text of the random normals of a compiled kernel: one generator a region, all regions in step.

Generator xoshiro256++ (Blackman and Vigna 2021, doi:10.1145/3460772), normals by Box and Muller (1958, doi:10.1214/aoms/1177706645).
Logarithm, sine and cosine are series in plain arithmetic, so that every loop below runs on whole registers of the processor and
gives the same bits whatever mathematical library is installed. Error below 1e-14 (tested against the library's functions).

    log u = e log 2 + 2 artanh((m - 1) / (m + 1)),  u = m 2^e,  m from 1/sqrt(2) to sqrt(2)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from fakeimaging.activity.kernels import DECORATOR


def _series(x: str, coefficients: Sequence[float]) -> str:
    """Write a polynomial in ``x`` by Horner's rule, lowest power first."""
    text = repr(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        text = f"{coefficient!r} + {x} * ({text})"
    return text


LOGARITHM = _series("z", [2 / (2 * k + 1) for k in range(12)])
SINE = _series("z", [(-1) ** k / math.factorial(2 * k + 1) for k in range(8)])
COSINE = _series("z", [(-1) ** k / math.factorial(2 * k) for k in range(9)])

GENERATOR = f'''
R23, R41, R17, R45, R19, R11 = (np.uint64(n) for n in (23, 41, 17, 45, 19, 11))
FRACTION, HALF, EXPONENT = np.int64(0x000FFFFFFFFFFFFF), np.int64(0x3FE0000000000000), np.int64(52)


{DECORATOR}
def next_uniforms(row0, row1, row2, row3, out):
    """One uniform number for each region, in [0, 1)."""
    for i in range(len(out)):
        s0, s1, s2, s3 = row0[i], row1[i], row2[i], row3[i]
        total = s0 + s3
        result = ((total << R23) | (total >> R41)) + s0
        shifted = s1 << R17
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= shifted
        row0[i], row1[i], row2[i], row3[i] = s0, s1, s2, (s3 << R45) | (s3 >> R19)
        out[i] = float(np.int64(result >> R11)) * {2.0**-53!r}


{DECORATOR}
def split(bits, mantissas, exponents):
    """Mantissa in [1/2, 1) and exponent of numbers above 0, from their bits."""
    for i in range(len(bits)):
        exponents[i] = float((bits[i] >> EXPONENT) - 1022)
        mantissas[i] = (bits[i] & FRACTION) | HALF


{DECORATOR}
def radii(mantissas, exponents, out):
    """sqrt(-2 log(mantissa 2^exponent))."""
    for i in range(len(out)):
        m, e = mantissas[i], exponents[i]
        low = m < {math.sqrt(0.5)!r}
        m = 2.0 * m if low else m
        e = e - 1.0 if low else e
        s = (m - 1.0) / (m + 1.0)
        z = s * s
        out[i] = math.sqrt(-2.0 * (e * {math.log(2)!r} + s * ({LOGARITHM})))


{DECORATOR}
def around(radius, turns, first, second):
    """Radius times cosine and sine of 2 pi turns: a quarter of a circle at a time."""
    for i in range(len(turns)):
        quarter = math.floor(4.0 * turns[i] + 0.5)
        x = (4.0 * turns[i] - quarter) * {math.pi / 2!r}
        z = x * x
        s, c = x * ({SINE}), {COSINE}
        odd = (quarter == 1.0) | (quarter == 3.0)
        c, s = (s if odd else c), (c if odd else s)
        first[i] = radius[i] * (-c if (quarter == 1.0) | (quarter == 2.0) else c)
        second[i] = radius[i] * (-s if (quarter == 2.0) | (quarter == 3.0) else s)


{DECORATOR}
def normal_pairs(words, room, first, second):
    """Two independent standard normals for each region; words (4, n) uint64, room (4, n) float64."""
    u, turns, mantissas, exponents = room[0], room[1], room[2], room[3]
    next_uniforms(words[0], words[1], words[2], words[3], u)
    next_uniforms(words[0], words[1], words[2], words[3], turns)
    for i in range(len(u)):
        u[i] += {2.0**-53!r}
    split(u.view(np.int64), mantissas.view(np.int64), exponents)
    radii(mantissas, exponents, u)
    around(u, turns, first, second)
'''
