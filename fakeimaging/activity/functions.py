"""Functions that several neural masses share; a model file may import them beside its own.

rectifier(u, d) = u / (1 - exp(-d u))        a soft threshold: 0 far below 0, u far above (Abbott & Chance 2005)
sigmoid(x) = 1 / (1 + exp(-x))
"""

from __future__ import annotations

import math


def rectifier(u, d):  # type: ignore[no-untyped-def]
    """Soft threshold u / (1 - exp(-d u)), in the unit of u; near 0, where that is 0/0, its series."""
    x = d * u
    if abs(x) < 1e-2:
        return (1.0 + x / 2.0 + x * x / 12.0 - x * x * x * x / 720.0) / d
    return x / (1.0 - math.exp(-x)) / d


def sigmoid(x):  # type: ignore[no-untyped-def]
    """Logistic function, 0 to 1."""
    return 1.0 / (1.0 + math.exp(-x))
