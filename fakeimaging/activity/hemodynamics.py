"""Blood flow, volume and deoxyhemoglobin that follow neural activity: the Balloon-Windkessel model, on logarithms.

    ds/dt = z - kappa s - gamma (f - 1)      df/dt = s      tau dv/dt = f - v^(1/alpha)
    tau dq/dt = f (1 - (1 - E0)^(1/f)) / E0 - v^(1/alpha) q / v

f, v and q are relative to rest (1) and stay above 0, because their logarithms are integrated (Stephan et al. 2008). z is the
neural drive, here eps times the relative change of the firing rate. Heun steps at the rate of the tap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import kernels
from fakeimaging.activity.activity import Activity
from fakeimaging.core.citations import Reference
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError, ModelError
from fakeimaging.core.parameters import Parameters, parameter

FRISTON = "Friston et al. 2003, doi:10.1016/S1053-8119(03)00202-7"
REFERENCES = (
    Reference("Buxton et al.", 1998, "10.1002/mrm.1910390602", "balloon model"),
    Reference("Friston et al.", 2003, "10.1016/S1053-8119(03)00202-7", "hemodynamic constants"),
)
OUTPUT_RATE = 20.0
"""Hz at which flow, volume and deoxyhemoglobin are kept (assumed: they hold nothing above 1 Hz)."""
SLOWEST_INPUT = 40.0
"""Lowest rate in Hz of the tap that drives them: a 25 ms Heun step keeps the peak within 1 % of a 1 ms one (0.8 %; 10 ms: 0.3 %)."""
BLOCK = 6000
"""Samples of the drive that are in memory at once."""
STOPPED = 0.01
"""Relative flow that counts as none: the model has no steady state when the drive stays below -gamma."""


class Hemodynamics(Parameters):
    """Constants of the Balloon-Windkessel model; kappa and gamma are rates (1/s), not times."""

    kappa: float = parameter(
        0.65, unit="1/s", bounds=(0.1, 2), symbol="kappa", source=FRISTON, description="decay of the flow signal"
    )
    gamma: float = parameter(
        0.41, unit="1/s", bounds=(0.1, 2), symbol="gamma", source=FRISTON, description="flow autoregulation"
    )
    tau: float = parameter(0.98, unit="s", bounds=(0.2, 5), symbol="tau", source=FRISTON, description="transit time")
    alpha: float = parameter(
        0.32, unit="1", bounds=(0.1, 1), symbol="alpha", source=FRISTON, description="Grubb's exponent"
    )
    E0: float = parameter(
        0.34, unit="1", bounds=(0.1, 0.8), symbol="E_0", source=FRISTON, description="oxygen extraction at rest"
    )
    efficacy: float = parameter(
        0.3, unit="1/s", bounds=(0, 5), symbol="eps", description="drive of a doubled firing rate"
    )


@dataclass(frozen=True, eq=False)
class BloodFlow:
    """Relative flow, volume and deoxyhemoglobin, each shape (n_samples, n_regions), float32; 1 at rest."""

    clock: Clock
    flow: npt.NDArray[np.float32]
    volume: npt.NDArray[np.float32]
    deoxyhemoglobin: npt.NDArray[np.float32]


def log_rates(s, x, u, p, drive, kappa, gamma, tau, alpha, E0):  # type: ignore[no-untyped-def]
    """Time derivatives of s and of the logarithms of flow, volume and deoxyhemoglobin."""
    f, v, q = math.exp(x), math.exp(u), math.exp(p)
    outflow = v ** (1.0 / alpha)
    extraction = (1.0 - (1.0 - E0) ** (1.0 / f)) / E0
    return (
        drive - kappa * s - gamma * (f - 1.0),
        s / f,
        (f - outflow) / (tau * v),
        (f * extraction - outflow * q / v) / (tau * q),
    )


def balloon(drive, step, every, constants, state, sums, flow, volume, deoxyhemoglobin):  # type: ignore[no-untyped-def]
    """Integrate each region over all but the last sample of ``drive``, and keep the mean of every ``every`` steps.

    ``state`` (4, n) and ``sums`` (3, n) are carried on from call to call.
    """
    kappa, gamma, tau, alpha, E0 = constants
    for i in range(drive.shape[1]):
        s, x, u, p = state[0, i], state[1, i], state[2, i], state[3, i]
        for t in range(drive.shape[0] - 1):
            sums[0, i] += math.exp(x)
            sums[1, i] += math.exp(u)
            sums[2, i] += math.exp(p)
            if (t + 1) % every == 0:
                flow[t // every, i] = sums[0, i] / every
                volume[t // every, i] = sums[1, i] / every
                deoxyhemoglobin[t // every, i] = sums[2, i] / every
                sums[0, i], sums[1, i], sums[2, i] = 0.0, 0.0, 0.0
            ds, dx, du, dp = log_rates(s, x, u, p, drive[t, i], kappa, gamma, tau, alpha, E0)
            es, ex, eu, ep = log_rates(
                s + step * ds,
                x + step * dx,
                u + step * du,
                p + step * dp,
                drive[t + 1, i],
                kappa,
                gamma,
                tau,
                alpha,
                E0,
            )
            s += step * (ds + es) / 2.0
            x += step * (dx + ex) / 2.0
            u += step * (du + eu) / 2.0
            p += step * (dp + ep) / 2.0
        state[0, i], state[1, i], state[2, i], state[3, i] = s, x, u, p


def respond(
    drive: Callable[[slice], npt.NDArray[np.float64]],
    clock: Clock,
    parameters: Hemodynamics,
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
    parameters : Hemodynamics
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
    every = max(1, int(clock.rate / OUTPUT_RATE + 1e-9))
    n_kept, n = clock.n // every, drive(slice(0, 1)).shape[1]
    flow, volume, deoxyhemoglobin = (np.ones((n_kept, n), dtype=np.float32) for _ in range(3))
    p, state, sums = parameters, np.zeros((4, n)), np.zeros((3, n))
    kernel, block = kernels.compiled(balloon), every * (BLOCK // every)
    for first in range(0, n_kept * every, block):
        last = min(first + block, n_kept * every)
        z = drive(slice(first, last + 1))
        z = z if len(z) > last - first else np.concatenate([z, z[-1:]])
        parts = (array[first // every : last // every] for array in (flow, volume, deoxyhemoglobin))
        kernel(
            np.ascontiguousarray(z), clock.step, every, (p.kappa, p.gamma, p.tau, p.alpha, p.E0), state, sums, *parts
        )
    _check_flowing(flow, deoxyhemoglobin, p.gamma, n_regions)
    kept = Clock(clock.start + (every - 1) / 2 * clock.step, every * clock.step, n_kept)
    return BloodFlow(kept, flow, volume, deoxyhemoglobin)


def _check_flowing(flow: npt.NDArray, deoxyhemoglobin: npt.NDArray, gamma: float, n_regions: int | None) -> None:
    stopped = ~((flow > STOPPED) & np.isfinite(deoxyhemoglobin))
    if stopped.any():
        mode, region = divmod(int(np.argwhere(stopped)[0, 1]), n_regions or flow.shape[1])
        where = f"region {region + 1}" if n_regions is None else f"mode {mode + 1} of region {region + 1}"
        raise ModelError(f"blood flow of {where} stops: its drive stays below what the model allows (-{gamma:g})")


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


def mode_flow(activity: Activity, parameters: Hemodynamics) -> BloodFlow | None:
    """Return the blood flow that each mode alone would cause, columns in the order of its tap; None without modes.

    A place is taken to respond as its region plus pattern times its modes, each through the model on its own. Signals are small
    enough for that: with 0.8 % of BOLD from the region and 0.4 % from a mode, the sum correlates with the response to the
    summed drive at 0.99 and departs from it by an eighth of its SD (measured; saturation is what is lost).
    """
    drive = mode_drive(activity, parameters.efficacy)
    return None if drive is None else respond(*drive, parameters, n_regions=activity.tap("rate").samples.shape[1])


def blood_flow(activity: Activity, parameters: Hemodynamics) -> BloodFlow:
    """Return the blood flow of a run, on the run's clock, from rest at the start of the warm-up."""
    return respond(neural_drive(activity, parameters.efficacy), activity.tap("rate").clock, parameters)
