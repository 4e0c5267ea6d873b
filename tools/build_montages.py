"""Build `montages.npz`: the electrodes of MNE-Python's montages on the template's scalp. Needs mne; some seconds.

Names of the 10-05 system have its places (`lead_field.npz`) in montages that mostly bear such names. Others in the same coordinates
as those (BioSemi's letters) lie between them, by thin-plate splines; the rest (EGI's nets) are fitted by their landmarks.
"""

from __future__ import annotations

import argparse
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
from scipy.interpolate import RBFInterpolator

from fakeimaging.core.files import writing
from fakeimaging.modalities.electro.lead_field import electric
from fakeimaging.modalities.electro.montages import fitted, on_scalp

DATA = Path(__file__).parents[1] / "fakeimaging" / "data"
NOT_EEG = ("artinis-", "spherical_")
"""Beginnings of the names of optodes, and of spheres that fsaverage's places stand for."""
OTHER_NAMES = {"fsaverage_1020": "standard_1020", "fsaverage_1010": "standard_1010", "fsaverage_1005": "standard_1005"}
"""Names of the package for montages of mne's."""
_SPHERE = ("biosemi64", "easycap-M1", "brainproducts-RNP-BA-128")
_COLIN = ("colin27_1005",)
TWINS = {"biosemi": _SPHERE, "easycap": _SPHERE, "brainproducts": _SPHERE, "colin27": _COLIN, "mgh": _COLIN}
"""By the beginning of a name, montages in the same coordinates with names of the 10-05 system: what has other names lies between those."""


def main() -> None:
    """Place every montage and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DATA)
    options = parser.parse_args()
    placed = {}
    for name in mne.channels.get_builtin_montages():
        if not name.startswith(NOT_EEG):
            placed[name] = places(name)
            if name in OTHER_NAMES:
                placed[OTHER_NAMES[name]] = placed[name]
    path = options.out / "montages.npz"
    with writing(path) as file:
        np.savez_compressed(
            file,
            montages=np.array(sorted(placed)),
            sizes=np.array([len(placed[name]) for name in sorted(placed)]),
            names=np.array([channel for name in sorted(placed) for channel in placed[name]]),
            points=np.array([point for name in sorted(placed) for point in placed[name].values()], dtype=np.float32),
        )
    print(f"{path.name}: {len(placed)} montages, {path.stat().st_size / 1e3:.0f} kB")


def stored(name: str) -> dict[str, Any]:
    """Return what mne says of a montage."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dict(mne.channels.make_standard_montage(name).get_positions())


def places(name: str) -> dict[str, npt.NDArray]:
    """Return the electrodes of one of mne's montages in template mm, by name."""
    found, shipped = stored(name), electric()
    names, points = list(found["ch_pos"]), np.array(list(found["ch_pos"].values()))
    twins = next((twins for begin, twins in TWINS.items() if name.startswith(begin)), ())
    landmarks = [found[name] for name in ("nasion", "lpa", "rpa")]
    placed = on_scalp(warp(twins)(points)) if twins else fitted(points, *landmarks)
    known = [i for i, channel in enumerate(names) if channel in shipped.channels]
    if 2 * len(known) > len(names):
        placed = np.array(placed)
        placed[known] = shipped.electrodes[shipped.rows([names[i] for i in known])]
    print(f"{name}: {len(names)} electrodes, {'like ' + ', '.join(twins) if twins else 'by landmarks'}")
    return dict(zip(names, placed, strict=True))


def pairs(twins: tuple[str, ...]) -> tuple[npt.NDArray, npt.NDArray]:
    """Return where electrodes of the 10-05 system lie in the coordinates of some montages, and on the template's scalp."""
    named = {n: p for twin in twins for n, p in stored(twin)["ch_pos"].items() if n in electric().channels}
    return np.array(list(named.values())), electric().electrodes[electric().rows(list(named))].astype(float)


@lru_cache(maxsize=4)
def warp(twins: tuple[str, ...]) -> Any:
    """Return the smooth map from the coordinates of some montages to the template that takes each 10-05 electrode to its place."""
    theirs, ours = pairs(twins)
    order, off = np.random.Generator(np.random.SFC64(1)).permutation(len(theirs)), []
    for fold in range(10):
        left, kept = order[fold::10], np.setdiff1d(order, order[fold::10])
        off.append(
            np.linalg.norm(on_scalp(RBFInterpolator(theirs[kept], ours[kept])(theirs[left])) - ours[left], axis=1)
        )
    missed = np.concatenate(off)
    print(
        f"{', '.join(twins)}: {len(theirs)} known; left out, found within {np.median(missed):.1f} mm (median), "
        f"{np.percentile(missed, 95):.1f} mm (95 %)"
    )
    return RBFInterpolator(theirs, ours)


if __name__ == "__main__":
    main()
