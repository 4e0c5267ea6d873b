"""The body during one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology import motion
from fakeimaging.activity.physiology.breathing import INSPIRATION, Breaths
from fakeimaging.activity.physiology.covered import steps
from fakeimaging.activity.physiology.eyes import Saccades
from fakeimaging.activity.physiology.heart import ecg
from fakeimaging.activity.physiology.muscles import Bursts
from fakeimaging.core.arrays import frozen

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Physiology:
    """The body during one run, on the run's clock.

    Parameters
    ----------
    duration : float
        Of the run in s.
    beats : ndarray, shape (n_beats,)
        Times of the R peaks in s, from -`BEFORE` to ``duration + AFTER``.
    breaths : Breaths
        Those that cover the same time.
    blink_onsets, blink_durations, blink_strengths : ndarray, shape (n_blinks,)
        s, s, and relative amplitude (median 1).
    head : ndarray, shape (n, 6)
        Pose of the head every 0.1 s from -`BEFORE` on: shifts in mm, rotations in rad (see `motion`).
    head_parts : mapping of str to ndarray, shape (n, 6)
        What each kind of motion out of `MOTION_SHARES` has of it; they add up to it.
    jerks : ndarray, shape (n_jerks,)
        When the head jerks, in s.
    saccades : Saccades
    bursts : Bursts
        Of muscles.
    """

    duration: float
    beats: Floats
    breaths: Breaths
    blink_onsets: Floats
    blink_durations: Floats
    blink_strengths: Floats
    head: Floats
    head_parts: Mapping[str, Floats] = field(default_factory=dict)
    jerks: Floats = field(default_factory=lambda: frozen(np.zeros(0)))
    saccades: Saccades = field(default_factory=Saccades)
    bursts: Bursts = field(default_factory=Bursts)

    def cardiac_phase(self, times: npt.ArrayLike) -> Floats:
        """Return the share of the beat that has passed at ``times`` (s), in rad from 0 at an R peak to 2 pi at the next."""
        times = np.asarray(times, dtype=float)
        i = np.clip(np.searchsorted(self.beats, times, side="right") - 1, 0, len(self.beats) - 2)
        passed = (times - self.beats[i]) / (self.beats[i + 1] - self.beats[i])
        return np.asarray(2 * np.pi * (passed % 1.0))

    def ecg(self, times: npt.ArrayLike) -> Floats:
        """Return the electrocardiogram at ascending ``times`` (s), shape (n,), the R wave by itself 1."""
        return ecg(times, self.beats)

    def gaze(self, times: npt.ArrayLike) -> Floats:
        """Return where the eyes look at ``times`` (s), shape (2, n), in deg to the right and up of straight ahead."""
        return self.saccades.gaze(times)

    def contraction(self, times: npt.ArrayLike) -> Floats:
        """Return how far muscles contract at ascending ``times`` (s), shape (n_muscles, 2, n): left, right; 1 in a usual burst."""
        return self.bursts.contraction(times)

    def belt(self, times: npt.ArrayLike) -> Floats:
        """Return what a belt around the chest shows at ``times`` (s): 0 after expiration, the breath's depth at its peak."""
        return self.breaths.belt(times)

    def respiratory_phase(self, times: npt.ArrayLike) -> Floats:
        """Return the phase of breathing at ``times`` (s) in rad from -pi to pi (Glover et al. 2000, equation 3, with 100 bins).

        Pi times the share of the run's time in which the belt is lower; negative during expiration.
        """
        share, _ = self.breaths.within(times)
        level = np.interp(self.belt(times), *self._belt_levels)
        return np.asarray(np.pi * level * np.where(share < INSPIRATION, 1.0, -1.0))

    def respiratory_volume(self, times: npt.ArrayLike) -> Floats:
        """Return depth over period of the breaths around ``times`` (s), relative to its mean over the run (volume per time)."""
        volume = self.breaths.depths / self.breaths.periods
        middle = self.breaths.onsets + self.breaths.periods / 2
        return np.asarray(np.interp(np.asarray(times, dtype=float), middle, volume / volume.mean()))

    def motion(self, times: npt.ArrayLike) -> Floats:
        """Return how the head lies at ``times`` (s) relative to t = 0, shape (n, 6).

        Shifts along x, y, z in mm, then rotations about x, y, z in rad, about the isocentre (`modalities.motion.rigid`).
        """
        moved = motion.at(self.head, np.append(times, 0.0))
        return np.asarray(moved[:-1] - moved[-1])

    def motion_parts(self, times: npt.ArrayLike) -> dict[str, Floats]:
        """Return what each kind of motion has of `motion`, by name; they add up to it."""
        moved = {name: motion.at(part, np.append(times, 0.0)) for name, part in self.head_parts.items()}
        return {name: np.asarray(part[:-1] - part[-1]) for name, part in moved.items()}

    @cached_property
    def _belt_levels(self) -> tuple[Floats, Floats]:
        """Edges of the histogram of the belt, and the share of time below each."""
        counts, edges = np.histogram(self.belt(steps(self.duration, 20.0)), bins=100)
        return edges, np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
