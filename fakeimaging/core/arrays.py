"""Arrays that are shared are read-only."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Hashable
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


def memory_bytes() -> int | None:
    """Return the memory of this machine in bytes, None where the system does not say (Windows)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


class Kept:
    """Arrays made once and kept as long as all together take no more than so many bytes; the longest unused ones go first.

    Parameters
    ----------
    most : int
        Bytes; the array asked for last is kept whatever its size.

    Examples
    --------
    >>> import numpy as np
    >>> kept = Kept(100)
    >>> [kept.get(n, lambda n=n: np.zeros(n)).size for n in (8, 4, 8, 4)], len(kept)
    ([8, 4, 8, 4], 2)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._arrays: OrderedDict[Hashable, npt.NDArray] = OrderedDict()

    def __len__(self) -> int:
        return len(self._arrays)

    def get(self, key: Hashable, make: Callable[[], npt.NDArray]) -> npt.NDArray:
        """Return the array of a key, made now if it is not kept."""
        array = self._arrays.pop(key, None)
        array = make() if array is None else array
        self._arrays[key] = array
        while len(self._arrays) > 1 and sum(kept.nbytes for kept in self._arrays.values()) > self._most:
            self._arrays.popitem(last=False)
        return array
