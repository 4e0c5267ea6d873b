"""The cortex beside the network: small patches at random places, each with a course of its own whose power falls as 1 / f^exponent.

Places are the subject's, courses the run's: EEG, MEG and intracranial EEG of a run see the same sources. Courses are made at 250 Hz and
brought to the rate of the recording within the Fourier transform that colours them (`coloured`), in pieces that are kept while a
recording goes by; a faster recording finds nothing of them beyond 125 Hz:

    c = g * h * w,   c(t) in nAm/mm2

w: white noise of the run; h: the filter of the spectrum; g: a low-pass of zero phase, flat to 0.8 of half the recording's rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import Kept, frozen
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.streams import Streams
from fakeimaging.modalities.electro.coloured import Floats, Signal, Spectrum, filtered_rows, impulse
from fakeimaging.modalities.electro.lead_field import electric
from fakeimaging.modalities.electro.sampling import ATTENUATION, FLAT, LARGEST_RATIO, Ratio
from fakeimaging.modalities.electro.sources import SourceSpace, patch_moments
from fakeimaging.modalities.layers import Factors, Forward, Recipe, Stage
from fakeimaging.modalities.normals import normals

N_PATCHES = 40
"""Enough that their sum is Gaussian at every sensor, few enough to keep their courses (assumed)."""
EXTENT = 9.0
"""mm, radius of a patch: cortex that swings together without long connections (assumed: some cm2)."""
BAND = (1.0, 45.0)
"""Hz within which the density of dipoles is told."""
KNEE = 0.2
"""Hz, below which the spectrum is flat (assumed)."""
RATE = 250.0
"""Hz at which courses are made."""
PIECE = 4096
"""Samples, at that rate, of the white noise that one generator makes."""
LENGTH = 3072
"""Of the filter of the spectrum."""
DELAY = 512
"""Samples by which courses lag white noise, so that a low-pass of zero phase finds what comes after."""
ALMOST = 0.999
"""Share of the rate to which courses are low-passed before they are made faster."""
KEPT = 16 * 2**20
"""Bytes of courses that a recording keeps."""


class BackgroundParameters(Parameters):
    """How strong the cortex beside the network is."""

    background_density: float = parameter(
        0.05, unit="nAm/mm2", bounds=(0, 10), description="dipoles of cortex beside the network, rms from 1 to 45 Hz"
    )
    background_exponent: float = parameter(
        1.5,
        unit="1",
        bounds=(0, 3),
        source="Donoghue et al. 2020, 10.1038/s41593-020-00744-x",
        description="of its spectrum, power as 1/f^exponent",
    )


@dataclass(frozen=True, eq=False)
class Courses:
    """The courses of the patches at the rate of a recording.

    Parameters
    ----------
    streams : Streams
        Of the run's background.
    n : int
        Patches.
    ratio : Ratio
        The recording's rate over `RATE`.
    filtered : ndarray, shape (span + 1,)
        Transform of spectrum and low-pass.
    """

    streams: Streams
    n: int
    ratio: Ratio
    filtered: Spectrum
    _kept: Kept = field(default_factory=lambda: Kept(KEPT))

    @property
    def span(self) -> int:
        """Samples at `RATE` in a piece."""
        return len(self.filtered) - 1

    @property
    def length(self) -> int:
        """Samples of the recording in a piece."""
        return self.span * self.ratio.up // self.ratio.down

    def at(self, first: int, n: int) -> Signal:
        """Return samples ``first`` to ``first + n`` of the recording, shape (n_patches, n)."""
        wanted = range(first // self.length, (first + n - 1) // self.length + 1)
        pieces = [self._kept.get(k, lambda k=k: frozen(self._piece(k))) for k in wanted]  # type: ignore[misc]
        joined = pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1)
        start = first - wanted[0] * self.length
        return np.asarray(joined[:, start : start + n])

    def _piece(self, k: int) -> Signal:
        made = filtered_rows(self._white((k - 1) * self.span, 2 * self.span), self.filtered, 2 * self.length)
        return np.ascontiguousarray(made[:, self.length :])

    def _white(self, first: int, n: int) -> Signal:
        wanted = range(first // PIECE, (first + n - 1) // PIECE + 1)
        blocks = [normals((self.n, PIECE), rng=self.streams.at(f"part-{k}").rng()) for k in wanted]
        start = first - wanted[0] * PIECE
        return np.concatenate(blocks, axis=1)[:, start : start + n]


@lru_cache(maxsize=4)
def patches(space: SourceSpace, streams: Streams) -> tuple[npt.NDArray[np.float32], Any]:
    """Return the patches of a subject, drawn by area; the same places whatever the sources of a field are.

    Returns
    -------
    places : ndarray, shape (n_patches, 3)
        Their middles in template mm.
    moments : scipy sparse array, shape (n_patches, n_columns)
        Am for 1 nAm/mm2.
    """
    from scipy.sparse import vstack

    shipped = electric().scalp.space
    areas = np.where(shipped.cortex, shipped.areas, 0.0).astype(np.float64)
    places = shipped.points[streams.rng().choice(len(areas), N_PATCHES, replace=False, p=areas / areas.sum())]
    moments = [patch_moments(space, place, EXTENT, total=False) for place in places]
    return frozen(places), vstack(moments, format="csr")


def background_courses(forward: Forward, recipe: Recipe, v: int) -> Signal:
    """Return the courses of the patches in part v, in nAm/mm2, shape (n_patches, n)."""
    clock = forward.clean.part(v)
    courses = _courses(forward, recipe["density"], recipe["exponent"])
    return courses.at(round(clock.start * clock.rate), clock.n)


def _courses(forward: Forward, density: float, exponent: float) -> Courses:
    """Return the courses of a recording, made once and kept as long as it is."""
    if forward not in _OF_RECORDING:
        _OF_RECORDING[forward] = _new_courses(forward, density, exponent)
    return _OF_RECORDING[forward]


_OF_RECORDING: WeakKeyDictionary[Forward, Courses] = WeakKeyDictionary()


def _new_courses(forward: Forward, density: float, exponent: float) -> Courses:
    clock = forward.clean.clock
    fraction = Fraction(clock.rate / RATE).limit_denominator(LARGEST_RATIO)
    ratio = Ratio(fraction.numerator, fraction.denominator)
    span = ratio.down * -(-PIECE // ratio.down)
    streams = forward.context["run_streams"].at("background")
    return Courses(streams, N_PATCHES, ratio, _filter(density, exponent, clock.rate / RATE, span))


def spectrum(density: float, exponent: float) -> Callable[[Floats], Floats]:
    """Return the density in unit/sqrt(Hz) of noise of ``density`` (rms) in `BAND` whose power falls as 1 / f^exponent above `KNEE`."""
    band = np.geomspace(*BAND, 1001)
    size = density / np.sqrt(np.trapezoid(np.hypot(band, KNEE) ** -exponent, band))
    return lambda f: size * np.hypot(f, KNEE) ** (-exponent / 2)


def _filter(density: float, exponent: float, share: float, span: int) -> Spectrum:
    from scipy.fft import rfft

    response = np.zeros(2 * span)
    response[DELAY : DELAY + LENGTH] = impulse(spectrum(density, exponent), RATE, LENGTH)
    # A faster recording must not hear the edge at half the rate.
    wanted = share if share <= 1 else ALMOST
    return np.asarray(rfft(response) * low_pass(wanted, 2 * span), dtype=np.complex64)


def low_pass(share: float, n: int) -> Floats:
    """Return the gain of a low-pass of zero phase, that of `sampling`, at the frequencies of ``rfft``; 1 when the rate stays."""
    from scipy.fft import rfft

    if share >= 1:
        return np.ones(n // 2 + 1)
    half = min(DELAY, int(np.ceil((ATTENUATION - 7.95) / (2.285 * np.pi * (1 - FLAT) * share) / 2)))
    cutoff = (1 + FLAT) / 2 * share
    taps = cutoff * np.sinc(cutoff * np.arange(-half, half + 1)) * np.kaiser(2 * half + 1, 0.1102 * (ATTENUATION - 8.7))
    around = np.zeros(n)
    around[np.arange(-half, half + 1)] = taps / taps.sum()
    return np.asarray(rfft(around).real)


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    seen = forward.context["field"]
    places, moments = patches(seen.space, forward.context["subject"].streams.at("background"))
    return {
        "places": places,
        "extent": EXTENT,
        "density": parameters.background_density,
        "exponent": parameters.background_exponent,
        "rate": RATE,
        "maps": seen.project(moments),
    }


def _act(forward: Forward, recipe: Recipe, v: int, *, rng: None) -> Factors | None:
    if not recipe["density"] > 0:
        return None
    maps = np.asarray(recipe["maps"], dtype=np.float32)
    rest = np.zeros((len(forward.clean.channels) - len(maps), maps.shape[1]), dtype=np.float32)
    return Factors(np.concatenate([maps, rest]), background_courses(forward, recipe, v))


BACKGROUND = Stage("background", "additive", _draw, _act, noisy=False)
"""The recipe has the places (template mm) and maps (per nAm/mm2); needs the parameters ``background_density`` and
``background_exponent``, and the context ``field`` (of the first channels), ``subject`` and ``run_streams``."""
