"""Blood flow, volume and deoxyhemoglobin that follow neural activity: the Balloon-Windkessel model, on logarithms.

    ds/dt = z - kappa s - gamma (f - 1)      df/dt = s      tau dv/dt = f - v^(1/alpha)
    tau dq/dt = f (1 - (1 - E0)^(1/f)) / E0 - v^(1/alpha) q / v

f, v and q are relative to rest (1) and stay above 0, because their logarithms are integrated (Stephan et al. 2008). z is the
neural drive, here eps times the relative change of the firing rate. Heun steps at the rate of the tap (`hemodynamics_kernel`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import kernels
from fakeimaging.activity.activity import Activity
from fakeimaging.activity.hemodynamics_kernel import LEAST, balloon
from fakeimaging.activity.hemodynamics_parameters import FRISTON, REFERENCES, Hemodynamics
from fakeimaging.activity.hemodynamics_regional import RegionalHemodynamics, regional_constants, same_everywhere
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError, ModelError

__all__ = [
    "FRISTON",
    "REFERENCES",
    "BloodFlow",
    "Hemodynamics",
    "RegionalHemodynamics",
    "blood_flow",
    "classic_change",
    "mode_flow",
    "regional_constants",
    "respond",
]

OUTPUT_RATE = 20.0
"""Hz at which flow, volume and deoxyhemoglobin are kept (assumed: they hold nothing above 1 Hz)."""
SLOWEST_INPUT = 40.0
"""Lowest rate in Hz of the tap that drives them: a 25 ms Heun step keeps the peak within 1 % of a 1 ms one (0.8 %; 10 ms: 0.3 %)."""
BLOCK = 6000
"""Samples of the drive that are in memory at once."""
LONGEST_STOP = 30.0
"""Seconds at the least flow after which a run is refused (assumed): the model has no steady state for a drive that stays below -gamma."""


@dataclass(frozen=True, eq=False)
class BloodFlow:
    """What blood does in each region.

    Parameters
    ----------
    clock : Clock
    flow, volume, deoxyhemoglobin : ndarray of float32, shape (n_samples, n_regions)
        Cerebral blood flow (CBF), volume (CBV) and deoxyhemoglobin, relative to rest.
    constants : RegionalHemodynamics
        Of each column.
    """

    clock: Clock
    flow: npt.NDArray[np.float32]
    volume: npt.NDArray[np.float32]
    deoxyhemoglobin: npt.NDArray[np.float32]
    constants: RegionalHemodynamics

    @property
    def oxygen_metabolism(self) -> npt.NDArray[np.float32]:
        """Oxygen consumption (CMRO2) relative to rest, f (1 - (1 - E0)^(1/f)) / E0, shape (n_samples, n_regions); made when read."""
        f, E0 = self.flow.astype(np.float64), self.constants.E0
        return np.asarray(f * (1 - (1 - E0) ** (1 / f)) / E0, dtype=np.float32)


def classic_change(flow: BloodFlow, V0: float = 0.02) -> npt.NDArray[np.float64]:  # noqa: N803
    """Return the relative BOLD signal change of the classic output equation (Buxton 1998, Friston 2003; 1.5 T, echo time 40 ms).

    Parameters
    ----------
    flow : BloodFlow
    V0 : float
        Share of blood at rest.

    Returns
    -------
    ndarray, shape (n_samples, n_regions)
        V0 [k1 (1 - q) + k2 (1 - q/v) + k3 (1 - v)] with k1 = 7 E0, k2 = 2, k3 = 2 E0 - 0.2.
    """
    v, q, E0 = flow.volume.astype(np.float64), flow.deoxyhemoglobin.astype(np.float64), flow.constants.E0
    return np.asarray(V0 * (7 * E0 * (1 - q) + 2 * (1 - q / v) + (2 * E0 - 0.2) * (1 - v)))


def respond(
    drive: Callable[[slice], npt.NDArray[np.float64]],
    clock: Clock,
    constants: Hemodynamics | RegionalHemodynamics,
    *,
    n_regions: int | None = None,
) -> BloodFlow:
    """Return the response to a neural drive, from rest.

    Parameters
    ----------
    drive : callable
        ``drive(slice)`` returns those samples of z in the equations, shape (n, n_regions); 0 keeps everything at rest. It is
        asked for stretches of `BLOCK` samples, so that a long run is never in memory at once.
    clock : Clock
        Of the drive, at least `SLOWEST_INPUT`.
    constants : Hemodynamics or RegionalHemodynamics
        The same for all columns, or those of each.
    n_regions : int, optional
        Where columns are modes: all regions for the first mode, then all for the next.

    Returns
    -------
    BloodFlow
        At `OUTPUT_RATE` or the drive's own rate, means over the interval.

    Raises
    ------
    InputError
        If the drive comes too slowly to integrate.
    ModelError
        If it is so negative for so long that no flow is left.
    """
    if clock.rate < SLOWEST_INPUT * (1 - 1e-9):
        raise InputError(
            f"blood flow needs activity at {SLOWEST_INPUT:g} Hz or more, not {clock.rate:g} Hz", value=clock.rate
        )
    every, kept = kept_clock(clock)
    n = drive(slice(0, 1)).shape[1]
    own = same_everywhere(constants, n) if isinstance(constants, Hemodynamics) else constants.tiled(n)
    flow, volume, deoxyhemoglobin = (np.ones((kept.n, n), dtype=np.float32) for _ in range(3))
    stacked, state, sums = own.stacked, np.zeros((4, n)), np.zeros((3, n))
    kernel, block = kernels.compiled(balloon), every * (BLOCK // every)
    for first in range(0, kept.n * every, block):
        last = min(first + block, kept.n * every)
        z = drive(slice(first, last + 1))
        z = z if len(z) > last - first else np.concatenate([z, z[-1:]])
        parts = (array[first // every : last // every] for array in (flow, volume, deoxyhemoglobin))
        kernel(np.ascontiguousarray(z), clock.step, every, stacked, state, sums, *parts)
    response = BloodFlow(kept, flow, volume, deoxyhemoglobin, own)
    _check_flowing(response, n_regions)
    return response


def kept_clock(clock: Clock) -> tuple[int, Clock]:
    """Return how many samples of a drive make one that is kept, and the clock of those: the middle of each interval."""
    every = max(1, int(clock.rate / OUTPUT_RATE + 1e-9))
    return every, Clock(clock.start + (every - 1) / 2 * clock.step, every * clock.step, clock.n // every)


def _check_flowing(response: BloodFlow, n_regions: int | None) -> None:
    """Refuse a run in which flow is no number, or stays at its least for `LONGEST_STOP`."""
    n = response.flow.shape[1]
    wrong = set(np.flatnonzero(~np.isfinite(response.deoxyhemoglobin).all(axis=0)).tolist())
    for column in np.flatnonzero((response.flow < 1.5 * LEAST).any(axis=0)).tolist():
        edges = np.flatnonzero(np.diff(response.flow[:, column] < 1.5 * LEAST, prepend=False, append=False))
        if (edges[1::2] - edges[::2]).max() * response.clock.step >= LONGEST_STOP:
            wrong.add(column)
    if wrong:
        mode, region = divmod(min(wrong), n_regions or n)
        where = f"region {region + 1}" if n_regions is None else f"mode {mode + 1} of region {region + 1}"
        limit = response.constants.gamma[min(wrong)]
        raise ModelError(f"blood flow of {where} stops: its drive stays below what the model allows (-{limit:g})")


def neural_drive(activity: Activity, efficacy: float) -> Callable[[slice], npt.NDArray[np.float64]]:
    """Return what gives samples of efficacy * (rate / its mean over the run - 1), warm-up included; 0 in a silent region.

    Parameters
    ----------
    activity : Activity
    efficacy : float
        1/s.

    Returns
    -------
    callable
        As `respond` takes it.
    """
    tap = activity.tap("rate")
    mean = tap.from_start().samples.mean(axis=0, dtype=np.float64)
    scale = np.divide(efficacy, mean, out=np.zeros_like(mean), where=mean > 0)
    return lambda part: (np.asarray(tap.samples[part], dtype=np.float64) - mean) * scale


def mode_drive(activity: Activity, efficacy: float) -> tuple[Callable[[slice], npt.NDArray[np.float64]], Clock] | None:
    """Return what `neural_drive` does for the modes of the rates, and its clock: efficacy * tanh(mode / mean rate of its region).

    None when the activity has no modes; they have no mean of their own. The hyperbolic tangent keeps every place's rate above 0:
    a linear mode knows no floor, and flow would stop.
    """
    tap = activity.modes("rate")
    if tap is None:
        return None
    mean = activity.tap("rate").from_start().samples.mean(axis=0, dtype=np.float64)
    inverse = np.divide(1.0, mean, out=np.zeros_like(mean), where=mean > 0)
    scale = np.tile(inverse, tap.samples.shape[1] // len(mean))
    return lambda part: efficacy * np.tanh(np.asarray(tap.samples[part], dtype=np.float64) * scale), tap.clock


def mode_flow(
    activity: Activity, parameters: Hemodynamics, constants: RegionalHemodynamics | None = None
) -> BloodFlow | None:
    """Return the blood flow that each mode alone would cause, columns in the order of its tap; None without modes.

    A place is taken to respond as its region plus pattern times its modes, each through the model on its own. Signals are small
    enough for that: with 0.8 % of BOLD from the region and 0.4 % from a mode, the sum correlates with the response to the
    summed drive at 0.99 and departs from it by an eighth of its SD (measured; saturation is what is lost).
    """
    drive = mode_drive(activity, parameters.efficacy)
    n_regions = activity.tap("rate").samples.shape[1]
    return None if drive is None else respond(*drive, constants or parameters, n_regions=n_regions)


def blood_flow(
    activity: Activity, parameters: Hemodynamics, constants: RegionalHemodynamics | None = None
) -> BloodFlow:
    """Return the blood flow of a run, on the run's clock, from rest at the start of the warm-up.

    Parameters
    ----------
    activity : Activity
    parameters : Hemodynamics
    constants : RegionalHemodynamics, optional
        Those of the subject (`regional_constants`); the same everywhere when left out. What images water and what images
        hemoglobin give the same ones, and see the same blood.

    Returns
    -------
    BloodFlow
    """
    drive = neural_drive(activity, parameters.efficacy)
    return respond(drive, activity.tap("rate").clock, constants or parameters)
