"""Heart and breathing in images: Fourier terms of their phases at each slice's own time, times maps (Glover et al. 2000).

    heart       S a(x) sum_k sqrt(2 s_k) cos(k phi_c - theta_k(x)),  a large near arteries, the brainstem, and in fluid
    breathing   (e dS/dy + g S) sum_k sqrt(2 s_k) cos(k phi_r - theta_k(x)) + r S_grey(x) TE / TE0 w(t)

dS/dy is the edge that a shift along the phase-encoding axis moves (the chest changes the field in the head), g the same everywhere, w the
volume breathed per time convolved with the respiration response function (Birn et al. 2008), as carbon dioxide widens vessels. What
w does is a change of R2* and grows with the echo time; inflow, shifts and the rest are changes of S0 and do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import kernels
from fakeimaging.activity.physiology import BEFORE, Physiology
from fakeimaging.core.citations import Reference
from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.bold.shares import echo_ratio, phase_axis, usual_echo
from fakeimaging.modalities.boxes import Box, box_of
from fakeimaging.modalities.layers import Forward, Recipe, Stage
from fakeimaging.modalities.stages import N_COEFFICIENTS, polynomial_field

Maps = npt.NDArray[np.float32]

HARMONICS = (0.85, 0.15)
"""Shares of the variance at the rate itself and at twice the rate (assumed; RETROICOR's order 2)."""
PHASE_SD = 1.5
"""rad, SD over the head of the smooth field by which places lag each other, arteries and veins above all (assumed)."""
ARTERIES = {
    "circle of Willis": ((0, 4, -22), 14.0),
    "basilar artery and brainstem": ((0, -26, -36), 14.0),
    "left middle cerebral artery": ((-40, 4, -4), 11.0),
    "right middle cerebral artery": ((40, 4, -4), 11.0),
    "anterior cerebral arteries": ((0, 36, 8), 11.0),
}
"""Template mm and SD in mm of where the pulse is felt (assumed, from anatomy)."""
EVERYWHERE, FLUID = 0.1, 0.4
"""Pulsation far from arteries, and what fluid adds, relative to that beside them (assumed)."""
BREATHING_SHARES = {"edges": 0.4, "everywhere": 0.2, "volume": 0.4}
"""Shares of the variance that breathing has in grey matter (assumed)."""
STEP = 0.1
"""s, of the convolution."""
ROUNDING = 1e-9
"""Relative change of a heart or of breathing below which it is perfectly regular."""
REFERENCES = (
    Reference("Glover et al.", 2000, "10.1002/1522-2594(200007)44:1<162::AID-MRM23>3.0.CO;2-E", "RETROICOR"),
    Reference("Birn et al.", 2008, "10.1016/j.neuroimage.2007.11.059", "respiration response function"),
)


@dataclass(frozen=True, eq=False)
class LowRank:
    """A term in space and time.

    Parameters
    ----------
    box : three slices
        Where the maps lie.
    maps : ndarray, shape (n, *box), float32
    courses : ndarray, shape (n_volumes, n, n_slices), float32
    """

    box: Box
    maps: Maps
    courses: Maps

    def volume(self, v: int, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        """Return volume ``v`` of the term."""
        term = np.zeros(shape, dtype=np.float32)
        courses = np.ascontiguousarray(self.courses[v][:, self.box[2]])
        _kernel(add_low_rank)(np.ascontiguousarray(self.maps), courses, term[self.box])
        return term


@lru_cache(maxsize=1)
def _kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Keep the compiled kernel: finding it again means reading this file."""
    return kernels.compiled(function)


def add_low_rank(maps, courses, term):  # type: ignore[no-untyped-def]
    """Add to ``term`` (nx, ny, nz) each of ``maps`` (n, nx, ny, nz) times its course along z (n, nz)."""
    for i in range(term.shape[0]):
        for j in range(term.shape[1]):
            for m in range(maps.shape[0]):
                for k in range(term.shape[2]):
                    term[i, j, k] += maps[m, i, j, k] * courses[m, k]


def respiration_response(times: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the response of the signal to one deeper breath at ``times`` (s) after it (Birn et al. 2008).

    Examples
    --------
    >>> respiration_response([0.0, 3.0, 15.0]).round(3)
    array([ 0.   ,  0.869, -0.967])
    """
    t = np.asarray(times, dtype=float)
    return np.asarray(0.6 * t**2.1 * np.exp(-t / 1.6) - 0.0023 * t**3.54 * np.exp(-t / 4.25))


def volume_course(body: Physiology, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what breathing deeper and shallower does to the signal at ``times`` (s), unit variance over the run."""
    clock = np.arange(-BEFORE, body.duration + STEP, STEP)
    return responded(body.respiratory_volume(clock) - 1, respiration_response(np.arange(0, 50, STEP)), clock, times)


def responded(
    change: npt.NDArray[np.float64],
    response: npt.NDArray[np.float64],
    clock: npt.NDArray[np.float64],
    times: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return a relative change on a clock of `STEP` convolved with a response, at ``times`` (s), unit variance from t = 0 on.

    0 where there is no change beyond rounding.
    """
    course = np.convolve(change, response)[: len(clock)] if np.abs(change).max() > ROUNDING else np.zeros(len(clock))
    spread = course[clock >= 0].std()
    return np.asarray(np.interp(times, clock, course / spread if spread > 0 else course))


def harmonics(phase: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return cos and sin of the first and second harmonic, each of the variance of its share, shape (4, *phase.shape)."""
    terms = [
        np.sqrt(2 * share) * turn((k + 1) * phase) for k, share in enumerate(HARMONICS) for turn in (np.cos, np.sin)
    ]
    return np.stack(terms).astype(np.float32)


def _draw_phases(forward: Forward, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw the lag of each harmonic, shape (2, 20): its mean, then the coefficients of a polynomial field over the image."""
    start = 2 * np.pi * rng.random((len(HARMONICS), 1))
    coefficients = rng.standard_normal((len(HARMONICS), N_COEFFICIENTS))
    filled = forward.baseline != 0
    for row in coefficients:
        spread = polynomial_field(forward.baseline.shape, row)[filled].std() if filled.any() else 1.0
        row *= PHASE_SD / spread
    return np.concatenate([start, coefficients], axis=1)


def lags(shape: tuple[int, ...], phases: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return how far each harmonic lags in each voxel in rad, shape (2, *shape)."""
    return np.stack([np.float32(start) + polynomial_field(shape, row) for start, *row in phases])


def _split(amplitude: Maps, phases: npt.NDArray, forward: Forward, box: Box) -> Maps:
    """Maps of the four terms of `harmonics`: amplitude times cos and sin of the lag."""
    theta = lags(forward.baseline.shape, phases)[:, *box]
    terms = np.stack([amplitude * turn(lag) for lag in theta for turn in (np.cos, np.sin)])
    return np.ascontiguousarray(terms, dtype=np.float32)


def slice_moments(forward: Forward) -> npt.NDArray[np.float64]:
    """Return when each slice of each volume is taken in s, shape (n_volumes, n_slices)."""
    starts = forward.clean.clock.times
    return np.asarray(starts[:, None] + forward.context["slice_times"])


def _scaled(shape: Callable[[Maps], Maps], forward: Forward, wanted: float) -> Maps:
    """Return what ``shape`` makes of the image at rest, its root mean square over grey matter ``wanted`` times that of the image.

    At the usual echo time of the field; other echoes have the same factor. Not the mean of ratios: where air has taken the signal,
    what moves would be all of it.
    """
    usual = forward.context["maps"].baseline(usual_echo(forward.context["parameters"]))
    grey = forward.context["tissue"].grey
    power, whole = (float((grey * image**2).sum(dtype=np.float64)) for image in (shape(usual), usual))
    return shape(forward.baseline) * np.float32(wanted * np.sqrt(whole / power) if power > 0 else 0)


def grey_term(forward: Forward, wanted: float) -> tuple[Box, Maps]:
    """Return box and map of a BOLD-like change of grey matter whose root mean square is ``wanted`` at the field's usual echo time."""
    box, grey = box_of(forward.baseline), forward.context["maps"].grey
    change = _scaled(lambda rest: rest * grey, forward, wanted)[box]
    return box, change * np.float32(echo_ratio(forward.context["parameters"]))


def _draw_cardiac(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    return {"percent": parameters.cardiac_percent, "phases": _draw_phases(forward, rng)}


def _cardiac(forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    return cardiac_term(forward, recipe["percent"], recipe["phases"].tobytes()).volume(v, forward.baseline.shape)


@lru_cache(maxsize=2)
def cardiac_term(forward: Forward, percent: float, phases: bytes) -> LowRank:
    """Return maps and courses of the pulse; ``phases`` holds (2, 20) float64."""
    box, strength = box_of(forward.baseline), pulsation(forward)
    amplitude = _scaled(lambda rest: rest * strength, forward, percent / 100)[box]
    courses = harmonics(forward.context["physiology"].cardiac_phase(slice_moments(forward)))
    maps = _split(amplitude, np.frombuffer(phases).reshape(len(HARMONICS), -1), forward, box)
    return LowRank(box, maps, np.ascontiguousarray(courses.swapaxes(0, 1)))


def pulsation(forward: Forward) -> Maps:
    """Return how strongly the heart is felt in each voxel: 1 beside arteries, `EVERYWHERE` far from them, `FLUID` more in fluid."""
    grid, strength = forward.clean.grid, EVERYWHERE + FLUID * forward.context["tissue"].csf
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    points = apply_affine(forward.context["to_template"] @ grid.affine, index)
    for centre, sd in ARTERIES.values():
        strength = strength + np.exp(-0.5 * (((points - np.array(centre)) / sd) ** 2).sum(axis=-1))
    return np.minimum(strength, 1.0).astype(np.float32)


CARDIAC = Stage("cardiac", "additive", _draw_cardiac, _cardiac)
"""The pulse; needs ``parameters.cardiac_percent`` and the context ``physiology``, ``slice_times``, ``tissue``, ``to_template``."""


def _draw_respiratory(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    return {"percent": parameters.respiratory_percent, "phases": _draw_phases(forward, rng)}


def _respiratory(forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    return respiratory_term(forward, recipe["percent"], recipe["phases"].tobytes()).volume(v, forward.baseline.shape)


@lru_cache(maxsize=2)
def respiratory_term(forward: Forward, percent: float, phases: bytes) -> LowRank:
    """Return maps and courses of breathing; ``phases`` holds (2, 20) float64."""
    body, times = forward.context["physiology"], slice_moments(forward)
    sizes = {name: percent / 100 * np.sqrt(share) for name, share in BREATHING_SHARES.items()}
    box, volume = grey_term(forward, sizes["volume"])
    axis = phase_axis(forward.context["parameters"])
    shifted = _scaled(lambda rest: np.gradient(rest, axis=axis), forward, sizes["edges"])
    everywhere = _scaled(lambda rest: rest, forward, sizes["everywhere"])
    locked = _split((shifted + everywhere)[box], np.frombuffer(phases).reshape(len(HARMONICS), -1), forward, box)
    courses = [*harmonics(body.respiratory_phase(times)), volume_course(body, times).astype(np.float32)]
    return LowRank(box, np.concatenate([locked, volume[None]]), np.stack(courses, axis=1))


RESPIRATORY = Stage("respiratory", "additive", _draw_respiratory, _respiratory)
"""Breathing; needs ``parameters.respiratory_percent`` and the context of `CARDIAC`, ``maps`` and ``parameters``."""
