"""What a scanner counts in each frame: trues, scattered pairs, and randoms, and what they are worth without noise of scatter and randoms.

    trues      T = s A g(A)           s from the NEMA sensitivity, A the activity in the field of view (of the pairs that leave the head)
    scatter    S = T f / (1 - f)      f the scatter fraction
    randoms    R = r A^2 g(A)         two photons of different decays within the coincidence window
    dead time  g = exp(-A / a)        the share of time the scanner is not busy (paralysable)
    effective  T^2 / (T + S + k R)    noise-equivalent counts (Strother et al. 1990)

r and a are what puts the highest noise-equivalent rate of the NEMA cylinder where the scanner's table has it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.core.citations import Reference
from fakeimaging.core.clocks import Frames
from fakeimaging.modalities.layers import Companion
from fakeimaging.modalities.pet.frames import effective_seconds
from fakeimaging.modalities.pet.mu_map import WATER
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.resolution import Painted, class_amounts, coordinate
from fakeimaging.modalities.pet.scanners import SCANNERS, Scanner

Array = npt.NDArray[np.float64]

LINE = 700.0
"""mm, length of NEMA's line source and cylinder (NEMA NU 2)."""
CYLINDER_ML = 22_000.0
"""mL, volume of NEMA's cylinder (NEMA NU 2)."""
CYLINDER_RADIUS, OFFSET = 101.5, 45.0
"""mm, of that cylinder, and how far from its axis the line lies (NEMA NU 2)."""
EACH_PAIR_ONCE = 0.5
"""Randoms are the window times singles of one detector times those of another, each pair once: half of the window times all singles
squared, if all detectors are in coincidence with all (assumed)."""
REFERENCES = (Reference("Strother et al.", 1990, "10.1109/23.106715", "noise-equivalent counts"),)


@dataclass(frozen=True, eq=False)
class Counts:
    """Expected counts of the frames of a scan, each of shape (n_frames,).

    Parameters
    ----------
    trues, scatter, randoms : ndarray
        Pairs of one decay that went straight, pairs of one decay that did not, pairs of two decays.
    singles : ndarray
        Single photons.
    live : ndarray
        Share of time the scanner was not busy; the counts are what was left of them.
    seconds : ndarray
        Length of each frame in s.
    randoms_weight : float
        Weight of the randoms in `effective`: 1 where they are known without noise, 2 where they are subtracted as counted.
    """

    trues: Array
    scatter: Array
    randoms: Array
    singles: Array
    live: Array
    seconds: Array
    randoms_weight: float = 1.0

    @property
    def prompts(self) -> Array:
        """All pairs: trues, scatter and randoms."""
        return self.trues + self.scatter + self.randoms

    @property
    def effective(self) -> Array:
        """Noise-equivalent counts: trues that alone would be as noisy."""
        with_randoms = self.trues + self.scatter + self.randoms_weight * self.randoms
        return np.asarray(self.trues**2 / np.maximum(with_randoms, 1e-300))

    @property
    def worth(self) -> Array:
        """Noise-equivalent counts over the trues there would be without dead time: what the noise of an image follows."""
        ideal = self.trues / self.live
        return np.asarray(np.divide(self.effective, ideal, out=np.ones_like(ideal), where=ideal > 0))

    @property
    def scatter_fraction(self) -> Array:
        """Scatter over trues and scatter."""
        pairs = self.trues + self.scatter
        return np.asarray(np.divide(self.scatter, pairs, out=np.zeros_like(pairs), where=pairs > 0))

    @property
    def randoms_fraction(self) -> Array:
        """Randoms over prompts."""
        return np.asarray(
            np.divide(self.randoms, self.prompts, out=np.zeros_like(self.randoms), where=self.prompts > 0)
        )

    def drawn(self, *, rng: np.random.Generator) -> Counts:
        """Return counts as a scanner has them: each from a Poisson distribution around the expected ones."""
        trues, scatter, randoms = (rng.poisson(n).astype(float) for n in (self.trues, self.scatter, self.randoms))
        return Counts(trues, scatter, randoms, self.singles, self.live, self.seconds, self.randoms_weight)


def frame_counts(
    parameters: PetParameters, frames: Frames, activity: npt.ArrayLike, decay: float, survival: npt.ArrayLike
) -> Counts:
    """Return what the scanner counts.

    Parameters
    ----------
    parameters : PetParameters
    frames : Frames
    activity : array_like, shape (n_frames,)
        In the field of view, decay-weighted mean of each frame, decay-corrected to injection, in Bq.
    decay : float
        1/min.
    survival : array_like, () or shape (n_frames,)
        Mean share of its pairs that leave the head.
    """
    p, scanner = parameters, SCANNERS.get(parameters.scanner)
    left = effective_seconds(frames, decay) / frames.durations
    # As much activity, over the length of NEMA's cylinder, as would put this much into the field of view.
    mega = np.asarray(activity, dtype=float) * 1e-6 * left * LINE / scanner.axial_field_of_view.value
    rates = _rates(scanner)
    survival = np.asarray(survival, dtype=float)
    live = np.exp(-mega / rates.busy) if p.dead_time else np.ones_like(mega)
    trues = frames.durations * live * mega * sensitivity(p) * 1e3 * survival
    share = scanner.scatter_fraction.value if p.scatter_fraction is None else p.scatter_fraction
    scatter = trues * share / (1 - share)
    single_pairs = frames.durations * live * rates.randoms * mega**2 * survival / nema_survival()
    randoms = single_pairs
    if p.randoms_fraction is not None:
        randoms = (trues + scatter) * p.randoms_fraction / (1 - p.randoms_fraction)
    window = scanner.coincidence_window.value * 1e-9
    singles = np.sqrt(single_pairs * frames.durations / (window * EACH_PAIR_ONCE))
    return Counts(trues, scatter, randoms, singles, live, frames.durations, scanner.randoms_weight.value)


def counted(
    parameters: PetParameters, frames: Frames, decay: float, curves: Array, painted: Painted, survival: npt.NDArray
) -> Counts:
    """Return what the scanner counts of tissue of these curves.

    Parameters
    ----------
    parameters : PetParameters
    frames : Frames
    decay : float
        1/min.
    curves : ndarray, shape (n_classes, n_frames)
        Bq/mL.
    painted : Painted
    survival : ndarray, shape painted.grid.shape
        Share of pairs that leave the head.
    """
    reach = SCANNERS.get(parameters.scanner).axial_field_of_view.value / 2
    inside = (np.abs(coordinate(painted.grid, 2)) <= reach).astype(np.float32)
    n_grey = len(curves) - len(painted.others)
    activity = class_amounts(painted, inside, n_grey) @ curves
    leaving = class_amounts(painted, inside * survival, n_grey) @ curves
    share = np.divide(leaving, activity, out=np.ones_like(leaving), where=activity > 0)
    return frame_counts(parameters, frames, activity, decay, share)


def sensitivity(parameters: PetParameters) -> float:
    """Return the counts per s and kBq of a line of 70 cm: the scan's own, or its scanner's."""
    own = parameters.sensitivity
    return SCANNERS.get(parameters.scanner).sensitivity.value if own is None else own


@dataclass(frozen=True)
class Rates:
    """What a scanner's count rates do with activity in NEMA's cylinder.

    Parameters
    ----------
    randoms : float
        Rate over the square of the activity, 1/s/MBq^2.
    busy : float
        Activity at which dead time leaves 1/e of the counts, MBq.
    """

    randoms: float
    busy: float


@lru_cache(maxsize=64)
def _rates(scanner: Scanner) -> Rates:
    """Return the constants that put the peak of the noise-equivalent rate where the table has it.

    With u = (T + S) / (T + S + k R), the peak lies at an activity of a u, and there the rate is T0 (1 - f) u exp(-u), T0 the trues without
    dead time.
    """
    from scipy.optimize import brentq

    peak = scanner.peak_activity.value * CYLINDER_ML * 1e-3
    trues = scanner.sensitivity.value * 1e3 * nema_survival() * peak
    pairs = trues / (1 - scanner.scatter_fraction.value)
    reached = scanner.peak_necr.value * 1e3 * pairs / trues**2
    u = brentq(lambda x: x * math.exp(-x) - min(reached, 0.99 / math.e), 1e-9, 1.0)
    randoms = (1 / u - 1) * pairs / scanner.randoms_weight.value
    return Rates(randoms / peak**2, peak / u)


@lru_cache(maxsize=1)
def nema_survival() -> float:
    """Return the mean share of pairs of NEMA's line source that leave its cylinder.

    Examples
    --------
    >>> round(nema_survival(), 3)
    0.158
    """
    angles = (np.arange(720) + 0.5) * math.pi / 720
    chords = 2 * np.sqrt(CYLINDER_RADIUS**2 - (OFFSET * np.sin(angles)) ** 2)
    return float(np.exp(-WATER / 10 * chords).mean())


def count_keys(counts: Counts) -> dict[str, list[float]]:
    """Return the BIDS keys of the counts of each frame: scatter fraction in percent, rates in 1/s."""
    rates = {"PromptRate": counts.prompts, "RandomRate": counts.randoms, "SinglesRate": counts.singles}
    shares = {"ScatterFraction": np.round(100 * counts.scatter_fraction, 4).tolist()}
    return shares | {key: np.round(n / counts.seconds, 2).tolist() for key, n in rates.items()}


def count_table(counts: Counts, frames: Frames) -> Companion:
    """Return the table of expected counts of each frame."""
    columns = ("frame_start", "frame_end", "trues", "scatter", "randoms", "prompts", "effective", "singles", "live")
    values = (counts.trues, counts.scatter, counts.randoms, counts.prompts, counts.effective, counts.singles)
    rows = [
        [float(start), float(end), *(round(float(n), 1) for n in numbers), round(float(live), 6)]
        for start, end, *numbers, live in zip(frames.starts, frames.ends, *values, counts.live, strict=True)
    ]
    about = {
        "Description": "expected counts of each frame, in the whole field of view",
        "frame_start": {"Units": "s"},
        "frame_end": {"Units": "s"},
        "effective": {"Description": "noise-equivalent counts"},
        "live": {"Description": "share of time the scanner was not busy"},
    }
    return Companion("desc-counts", columns, rows, about, truth=True, named=False)
