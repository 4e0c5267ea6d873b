"""Working points: where a function of one number is zero, for all regions at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import ModelError

Array = npt.NDArray[np.float64]


def rising_root(function: Callable[[Array], Array], low: npt.ArrayLike, high: npt.ArrayLike, what: str) -> Array:
    """Return where a rising function is 0, by halving.

    Parameters
    ----------
    function : callable
        Of an array over regions, element by element.
    low, high : array_like, shape (n_regions,)
        Where to look.
    what : str
        Model and quantity, for the message.

    Raises
    ------
    ModelError
        If the function does not change its sign there.

    Examples
    --------
    >>> rising_root(lambda x: x**3 - np.array([1.0, 8.0]), [0.0, 0.0], [4.0, 4.0], "cube").round(6)
    array([1., 2.])
    """
    below, above = np.array(low, dtype=float), np.array(high, dtype=float)
    if (function(below) > 0).any() or (function(above) < 0).any():
        raise ModelError(f"{what} from {below.min():g} to {above.max():g}: these parameters have no working point")
    for _ in range(60):
        middle = (below + above) / 2
        over = function(middle) > 0
        below, above = np.where(over, below, middle), np.where(over, middle, above)
    return np.asarray((below + above) / 2)


def lowest_root(function: Callable[[Array], Array], grid: npt.ArrayLike, n: int, what: str) -> Array:
    """Return the lowest zero of a function, from its first change of sign along a grid, shape (n,).

    Parameters
    ----------
    function : callable
        Of an array of shape (..., n), element by element.
    grid : array_like, shape (n_points,)
        Rising, fine enough to separate the zeros.
    n : int
        Number of regions.
    what : str
        Model and quantity, for the message.

    Raises
    ------
    ModelError
        If the function does not change its sign on the grid.

    Examples
    --------
    >>> lowest_root(lambda x: (x - 1) * (x - 2), np.linspace(0, 3, 32), 2, "parabola").round(6)
    array([1., 1.])
    """
    points = np.asarray(grid, dtype=float)
    values = np.broadcast_to(function(points[:, None] + np.zeros(n)), (len(points), n))
    changes = np.signbit(values[:-1]) != np.signbit(values[1:])
    if not changes.any(axis=0).all():
        raise ModelError(f"{what} from {points[0]:g} to {points[-1]:g}: these parameters have no working point")
    first = changes.argmax(axis=0)
    sign = np.where(np.signbit(values[first, np.arange(n)]), 1.0, -1.0)
    return rising_root(lambda x: sign * function(x), points[first], points[first + 1], what)
