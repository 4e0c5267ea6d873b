"""The shipped magnetic field: what the cortex's dipoles make anywhere outside the head, from the model of `lead_field`.

Outside the head a static field has a potential, and magnetic charges below the scalp make any such field (the method of fundamental
solutions; Fairweather and Karageorghis 1998, doi:10.1023/A:1018981221740). The builder found the charges that match the model's
field 8 mm off the scalp; farther out they stand for every sensor in every place:

    B(r) = sum_k c_k (r - r_k) / |r - r_k|^3

A coil's signal is that along its normal, averaged over its points; a gradiometer's the difference of two loops over their distance.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.electro.lead_field import LowRank, electric, shipped

Floats = npt.NDArray[np.float64]


def charge_field(points: Floats, directions: Floats, charges: Floats) -> Floats:
    """Return what unit charges make along directions, shape (n_points, n_charges), all in the same mm."""
    result = np.empty((len(points), len(charges)))
    for first in range(0, len(points), 256):
        chosen = slice(first, first + 256)
        away = points[chosen, None, :] - charges
        square = np.einsum("pck,pck->pc", away, away)
        result[chosen] = np.einsum("pck,pk->pc", away, directions[chosen]) / (square * np.sqrt(square))
    return result


def magnetic_field(points: Floats, directions: Floats, owner: npt.NDArray[np.intp], n_sensors: int) -> LowRank:
    """Return the field of every source at sensors, in T/(Am) (gradiometers T/m per Am).

    Parameters
    ----------
    points, directions : ndarray, shape (n_points, 3)
        Where each sensor feels, in template mm, and along what, its weight put in.
    owner : ndarray of int, shape (n_points,)
        Sensor of each point.
    n_sensors : int
    """
    charges, layer, amounts, step = _shipped()
    felt = charge_field(points, directions, charges) @ layer
    maps = np.zeros((n_sensors, felt.shape[1]))
    np.add.at(maps, owner, felt)
    return LowRank(electric().scalp.space, maps, amounts, step)


@lru_cache(maxsize=1)
def _shipped() -> tuple[Floats, Floats, npt.NDArray[np.int16], npt.NDArray[np.float32]]:
    stored = shipped("magnetic_field.npz")
    return stored["charges"].astype(np.float64), stored["layer"].astype(np.float64), stored["amounts"], stored["step"]
