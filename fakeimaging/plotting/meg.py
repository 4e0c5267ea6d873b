"""Pictures of an MEG: traces of some sensors, power at the back of the helmet, and where alpha is seen on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.plotting.canvas import Picture, blank, styled
from fakeimaging.plotting.topography import draw_maps, flattened
from fakeimaging.plotting.traces import (
    BAND,
    SHOWN_BAND,
    SHOWN_SECONDS,
    Traces,
    band_amplitude,
    draw_spectrum,
    draw_traces,
)
from fakeimaging.scoring.electro.files import read_channels, read_raw, read_table
from fakeimaging.scoring.meg import coil_positions, posterior

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

WHOLE, PLANAR = ("MEGMAG", "MEGGRADAXIAL"), ("MEGGRADPLANAR",)
SAME_PLACE = 1e-3
"""m within which coils are at one place of the helmet."""


@dataclass(frozen=True, eq=False)
class Meg:
    """An MEG as it is drawn.

    Parameters
    ----------
    shown : Traces
        Magnetometers or axial gradiometers, from front to back.
    back : Traces
        Sensors at the back of the helmet, planar gradiometers where there are any.
    flat : ndarray, shape (n_places, 2)
        Where each place of the helmet lies on a map (see `flattened`).
    alpha : pair of ndarray, shape (n_places,)
        Observed and true, in the unit of ``back``; of two planar gradiometers at a place the square root of the sum of squares.
    """

    shown: Traces
    back: Traces
    flat: Floats
    alpha: tuple[Floats, Floats]


def read_meg(dataset: Dataset, scan: Scan) -> Meg:
    """Read the good sensors of a recording, of its clean twin, and where they are, from a dataset."""
    raw = read_raw(dataset.root / scan.raw)
    whole = _read(dataset, scan, WHOLE, "fT")
    order = np.argsort(-coil_positions(raw, whole.channels)[:, 1], kind="stable").tolist()
    types = {line["type"] for line in read_table(dataset.root / scan.beside("channels.tsv"))}
    seen = _read(dataset, scan, PLANAR, "fT/cm") if set(PLANAR) & types else whole
    kinds = tuple(PLANAR[0] if seen is not whole else WHOLE[0] for _ in seen.channels)
    flat = helmet_map(raw, seen.channels)
    places, owner = _places(coil_positions(raw, seen.channels))
    observed, true = (_combined(band_amplitude(series, seen.rate), owner) for series in seen.scaled)
    return Meg(_some(whole, order), _some(seen, posterior(raw, seen.channels, kinds)), flat[places], (observed, true))


def _read(dataset: Dataset, scan: Scan, kinds: tuple[str, ...], unit: str) -> Traces:
    observed, clean = (read_channels(dataset.root, scan, kinds, clean=clean) for clean in (False, True))
    return Traces(observed.names, observed.rate, observed.samples, clean.samples, unit)


def _some(traces: Traces, rows: list[int]) -> Traces:
    names = tuple(traces.channels[row] for row in rows)
    return Traces(names, traces.rate, traces.observed[rows], traces.clean[rows], traces.unit)


def _places(points: Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return one coil of each place, and the place of every coil."""
    _, first, owner = np.unique((points / SAME_PLACE).round(), axis=0, return_index=True, return_inverse=True)
    return first, owner.ravel()


def _combined(values: Floats, owner: npt.NDArray[np.intp]) -> Floats:
    return np.sqrt(np.bincount(owner, weights=values**2))


def helmet_map(raw: Any, names: tuple[str, ...]) -> Floats:
    """Return where coils lie on a map of the head below them, shape (n, 2): the head's landmarks lie on its rim."""
    from mne.io.constants import FIFF
    from mne.transforms import apply_trans

    points = apply_trans(raw.info["dev_head_t"], coil_positions(raw, names))
    landmarks = [point["r"] for point in raw.info["dig"] if point["kind"] == FIFF.FIFFV_POINT_CARDINAL]
    return flattened(points, np.array(landmarks, dtype=float))


@styled
def plot_meg(meg: Meg) -> Figure:
    """Draw traces above, and below them the spectrum at the back of the helmet and maps of alpha, observed and true.

    A recording too slow to hold alpha has no maps.
    """
    figure = blank(9.0, 7.0)
    grid = figure.add_gridspec(2, 3, height_ratios=[1.5, 1], width_ratios=[1.25, 1, 1])
    draw_traces(figure.add_subplot(grid[0, :]), meg.shown)
    title = f"power at the back ({len(meg.back.channels)} {_word(meg)})"
    draw_spectrum(figure.add_subplot(grid[1, 0]), meg.back, title)
    if _holds_maps(meg):
        maps = [figure.add_subplot(grid[1, k]) for k in (1, 2)]
        values = dict(zip(("alpha, observed", "alpha, truth"), meg.alpha, strict=True))
        draw_maps(figure, maps, meg.flat, values, f"{meg.back.unit} rms")
    return figure


def _word(meg: Meg) -> str:
    return "gradiometers" if meg.back.unit != meg.shown.unit else "sensors"


def _holds_maps(meg: Meg) -> bool:
    return meg.shown.rate / 2 > BAND[1]


def pictures(dataset: Dataset, scan: Scan) -> Iterator[Picture]:
    """Yield the picture of an MEG."""
    meg = read_meg(dataset, scan)
    alpha = _holds_maps(meg)
    where = "where alpha is seen on the helmet (from above, nose up, left is left)"
    shown = (
        f"the power of {_word(meg)} at the back, and {where}" if alpha else f"and the power of {_word(meg)} at the back"
    )
    words = (
        f"{scan.raw}: {SHOWN_SECONDS:g} s of some sensors from {SHOWN_BAND[0]:g} to {SHOWN_BAND[1]:g} Hz, front of the helmet above, "
        f"{shown}; truth is the same without noise and artefacts, the head at rest."
    )
    yield Picture("Traces, power and alpha" if alpha else "Traces and power", words, plot_meg(meg))
