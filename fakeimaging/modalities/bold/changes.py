"""What activity does to the signal of each region: relative changes, from blood flow, at any time.

With y = dS/S at the usual echo time TE0 of the field, in its two parts (`field.bold_parts`), at another echo time

    dS/S (TE) = (1 + y_R2)^(TE / TE0) - 1 + y_S0

so that the BOLD part is an exact change of R2* and the volume part one of S0. A spin echo has `field.SPIN_ECHO_SHARE` of the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.activity import Activity
from fakeimaging.activity.hemodynamics import BloodFlow, Hemodynamics, blood_flow, mode_flow
from fakeimaging.core.clocks import Clock
from fakeimaging.modalities.bold import field
from fakeimaging.modalities.bold.parameters import BoldParameters

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
    """

    clock: Clock
    series: Floats
    flow: BloodFlow

    @property
    def n_series(self) -> int:
        """One and the number of modes."""
        return int(self.series.shape[1])

    def at(self, times: npt.NDArray[np.float64]) -> Floats:
        """Return the changes at ``times`` (s), shape (n, n_series, n_regions)."""
        return sample(self.series, self.clock, times)


def regional_changes(activity: Activity, p: BoldParameters) -> Changes:
    """Return the signal changes of a run at the echo time of a scan."""
    flow, modes = _flow(activity, p.hemodynamics)
    parts = [_change(flow, p)] if modes is None else [_change(flow, p), _change(modes, p)]
    n_samples, n_regions = parts[0].shape
    series = np.concatenate(parts, axis=1, dtype=np.float32).reshape(n_samples, -1, n_regions)
    return Changes(flow.clock, series, flow)


@lru_cache(maxsize=1)
def _flow(activity: Activity, hemodynamics: Hemodynamics) -> tuple[BloodFlow, BloodFlow | None]:
    """Blood flow of a run; kept, since the echoes of a scan share it."""
    return blood_flow(activity, hemodynamics), mode_flow(activity, hemodynamics)


def _change(flow: BloodFlow, p: BoldParameters) -> npt.NDArray[np.float64]:
    usual = field.fields()[p.field_strength].defaults["echo_time"]
    relaxation, amount = field.bold_parts(flow, p, usual)
    share = field.SPIN_ECHO_SHARE if p.sequence == "spin_echo" else 1.0
    return at_echo(relaxation, share * p.echo_time / usual) + amount


def at_echo(change: npt.NDArray[np.float64], ratio: float) -> npt.NDArray[np.float64]:
    """Return a relative change through R2* at another echo time, ``ratio`` times the one it is given at."""
    return change if ratio == 1 else np.expm1(ratio * np.log1p(change))


def sample(series: npt.NDArray, clock: Clock, times: npt.NDArray[np.float64]) -> npt.NDArray:
    """Interpolate a series of shape (clock.n, ...) linearly at ``times`` (s); beyond its ends the last value holds."""
    position = np.clip((times - clock.start) / clock.step, 0, clock.n - 1)
    below = np.minimum(position.astype(int), clock.n - 2)
    share = (position - below).astype(series.dtype).reshape(-1, *[1] * (series.ndim - 1))
    return np.asarray((1 - share) * series[below] + share * series[below + 1])
