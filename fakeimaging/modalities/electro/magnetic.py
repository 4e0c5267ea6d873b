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

POINTS = 128
"""Points of coils computed at once, which bounds memory."""


def charge_field(points: Floats, directions: Floats, charges: Floats) -> Floats:
    """Return what unit charges make along directions, shape (n_points, n_charges), all in the same mm."""
    away = points[:, None, :] - charges
    square = np.einsum("pck,pck->pc", away, away)
    return np.asarray(np.einsum("pck,pk->pc", away, directions) / (square * np.sqrt(square)))


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
    charges, layer, amounts, step = charges_and_amounts()
    maps = np.zeros((n_sensors, layer.shape[1]))
    for first in range(0, len(points), POINTS):
        some = slice(first, first + POINTS)
        np.add.at(maps, owner[some], charge_field(points[some], directions[some], charges) @ layer)
    return LowRank(electric().scalp.space, maps, amounts, step)


@lru_cache(maxsize=1)
def charges_and_amounts() -> tuple[Floats, Floats, npt.NDArray[np.int16], npt.NDArray[np.float32]]:
    """Return the charges' places, their components, and amounts and steps of the sources."""
    stored = shipped("magnetic_field.npz")
    return stored["charges"].astype(np.float64), stored["layer"].astype(np.float64), stored["amounts"], stored["step"]
