"""When a scan measured, and how well: frames in minutes after injection, and the decay that weights them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.pet.kinetics import decayed_time

Array = npt.NDArray[np.float64]
LATE = 20.0
"""Minutes after injection from which free tracer follows plasma (the usual choice for FDG)."""
FAINTEST = 0.02
"""Share of a curve's peak below which a frame is not taken to be less noisy: no weight grows without bound (assumed)."""


@dataclass(frozen=True, eq=False)
class Timing:
    """Frames and the decay that weights them: starts and ends in min, decay constant in 1/min."""

    starts: Array
    ends: Array
    decay: float

    @property
    def middle(self) -> Array:
        """Middle of each frame in min."""
        return (self.starts + self.ends) / 2

    @property
    def weights(self) -> Array:
        """Counts that a constant decay-corrected activity would give: how long each frame were without decay, in min."""
        return np.asarray(np.exp(-self.decay * self.starts) * decayed_time(self.ends - self.starts, self.decay))

    def inverse_variance(self, curve: Array) -> Array:
        """Return one over the variance of each frame's value, in relative units, of sum 1: its weight over its activity.

        Parameters
        ----------
        curve : ndarray, shape (n_frames,)
            Activity of what is measured, free of most noise, such as the mean over all regions; decay-corrected.

        Notes
        -----
        Counts of a frame are Poisson: with w the `weights`, a mean of C has a variance in proportion to C / w.
        """
        found = self.weights / np.maximum(curve, FAINTEST * np.nanmax(curve))
        return np.asarray(found / found.sum())

    def late(self, start: float = LATE) -> npt.NDArray[np.bool_]:
        """Return which frames start at ``start`` (min) or later."""
        return np.asarray(self.starts >= start - 1e-9)
