"""Arrays that are shared are read-only."""

from __future__ import annotations

from typing import TypeVar

import numpy.typing as npt

A = TypeVar("A", bound=npt.NDArray)


def frozen(array: A) -> A:
    """Make an array of ours read-only and return it.

    Examples
    --------
    >>> import numpy as np
    >>> frozen(np.zeros(3)).flags.writeable
    False
    """
    array.flags.writeable = False
    return array
