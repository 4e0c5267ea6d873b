"""What activity does to the signal of each region: relative changes, from blood flow, at any time.

With y = dS/S at the usual echo time TE0 of the field, in its two parts (`field.bold_parts`), at another echo time

    dS/S (TE) = (1 + y_R2)^(TE / TE0) - 1 + y_S0

so that the BOLD part is an exact change of R2* and the volume part one of S0. What a design imposes (`imposed`) is a change of R2*.
A spin echo has `field.SPIN_ECHO_SHARE` of a change of R2*.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.activity import Activity
from fakeimaging.activity.hemodynamics import BloodFlow, Hemodynamics, blood_flow, mode_drive, mode_flow
from fakeimaging.activity.hemodynamics_regional import regional_constants, same_everywhere
from fakeimaging.activity.hrf import canonical_response, linear_response
from fakeimaging.core.clocks import Clock
from fakeimaging.modalities.bold import field
from fakeimaging.modalities.bold.imposed import ImposedChange, at_echo, decay_ratio, imposed_change
from fakeimaging.modalities.bold.parameters import BoldParameters
from fakeimaging.modalities.bold.sequence import geometry
from fakeimaging.structure.subject import Subject

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Changes:
    """Relative signal changes.

    Parameters
    ----------
    clock : Clock
    series : ndarray, shape (clock.n, 1 + n_modes, n_regions), float32
        Of the regions, then of each of their modes.
    flow : BloodFlow
        Behind those of the regions.
    imposed : ImposedChange, optional
        What a design adds to those of the regions.
    """

    clock: Clock
    series: Floats
    flow: BloodFlow
    imposed: ImposedChange | None = None

    @property
    def n_series(self) -> int:
        """One and the number of modes."""
        return int(self.series.shape[1])

    def at(self, times: npt.NDArray[np.float64]) -> Floats:
        """Return the changes at ``times`` (s), shape (n, n_series, n_regions)."""
        found = sample(self.series, self.clock, times)
        if self.imposed is not None:
            found[:, 0] += self.imposed.at(times)
        return found


def regional_changes(subject: Subject, activity: Activity, p: BoldParameters) -> Changes:
    """Return the signal changes of a run at the echo time of a scan.

    With a canonical response they are its convolution with the relative change of the firing rates, as large as the balloon model's
    for weak and slow activity; blood flow is the balloon model's all the same.
    """
    flow, modes = _flow(subject, activity, p.hemodynamics)
    clock = flow.clock
    if p.response == "balloon":
        parts = [bold_change(flow, p)] if modes is None else [bold_change(flow, p), bold_change(modes, p)]
    else:
        clock, parts = _canonical(activity, p)
    n_samples, n_regions = parts[0].shape
    series = np.concatenate(parts, axis=1, dtype=np.float32).reshape(n_samples, -1, n_regions)
    imposed = imposed_change(activity.imposed, p, geometry(p, activity.duration)[1].n)
    return Changes(clock, series, flow, imposed)


@lru_cache(maxsize=1)
def _flow(subject: Subject, activity: Activity, hemodynamics: Hemodynamics) -> tuple[BloodFlow, BloodFlow | None]:
    """Blood flow of a run; kept, since the echoes of a scan share it."""
    constants = regional_constants(hemodynamics, subject)
    return blood_flow(activity, hemodynamics, constants), mode_flow(activity, hemodynamics, constants)


def bold_change(flow: BloodFlow, p: BoldParameters) -> npt.NDArray[np.float64]:
    """Return the relative BOLD signal change of each region at the scan's echo time, shape (n_samples, n_regions)."""
    relaxation, amount = field.bold_parts(flow, p, field.fields()[p.field_strength].defaults["echo_time"])
    return at_echo(relaxation, decay_ratio(p)) + amount


def _canonical(activity: Activity, p: BoldParameters) -> tuple[Clock, list[npt.NDArray]]:
    (relaxation, amount), ratio, modes = weak_gains(p), decay_ratio(p), mode_drive(activity, 1.0)
    clock, regions = canonical_response(activity, p.response)
    courses = [regions] if modes is None else [regions, linear_response(*modes, p.response)[1]]
    return clock, [at_echo(relaxation * np.asarray(course, np.float64), ratio) + amount * course for course in courses]


def weak_gains(p: BoldParameters) -> tuple[float, float]:
    """Return the signal change over the relative change of a firing rate that the balloon model settles at, for weak activity.

    At the usual echo time of the field, in its two parts: through R2*, and through S0.
    """
    h, small = p.hemodynamics, 1e-4
    f = 1 + small * h.efficacy / h.gamma
    v = f**h.alpha
    q = v * (1 - (1 - h.E0) ** (1 / f)) / h.E0
    flow, volume, deoxyhemoglobin = (np.array([[value]]) for value in (f, v, q))
    settled = BloodFlow(Clock(0.0, 1.0, 1), flow, volume, deoxyhemoglobin, same_everywhere(h, 1))
    relaxation, amount = field.bold_parts(settled, p, field.fields()[p.field_strength].defaults["echo_time"])
    return float(relaxation[0, 0]) / small, float(amount[0, 0]) / small


def sample(series: npt.NDArray, clock: Clock, times: npt.NDArray[np.float64]) -> npt.NDArray:
    """Interpolate a series of shape (clock.n, ...) linearly at ``times`` (s); beyond its ends the last value holds."""
    position = np.clip((times - clock.start) / clock.step, 0, clock.n - 1)
    below = np.minimum(position.astype(int), clock.n - 2)
    share = (position - below).astype(series.dtype).reshape(-1, *[1] * (series.ndim - 1))
    return np.asarray((1 - share) * series[below] + share * series[below + 1])
