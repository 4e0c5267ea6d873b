"""Taps: named records of an Activity, one number per region and interval, each with its own rate on the run's clock.

A long tap lives in a file behind the same interface.
"""

from __future__ import annotations

import math
import mmap
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import RateError

IN_MEMORY = 64 * 2**20
"""Largest tap in bytes that is held in memory."""
HELD = 16 * 2**20
"""Bytes of a tap in a file that stay in memory while it is written."""


@dataclass(frozen=True, eq=False, repr=False)
class Tap:
    """One recorded quantity.

    Parameters
    ----------
    name, unit : str
    clock : Clock
        Middle of each averaging interval, in s; times below 0 are warm-up.
    samples : ndarray, shape (clock.n, n_regions), float32
        Means over the intervals; a memory map when long.
    """

    name: str
    unit: str
    clock: Clock
    samples: npt.NDArray[np.float32]

    def __repr__(self) -> str:
        size = f"{self.samples.shape[1]} regions, {self.clock.n} samples at {self.clock.rate:g} Hz"
        return f"Tap({self.name} in {self.unit}: {size} from {self.clock.start:.6g} s)"

    @property
    def by_region(self) -> npt.NDArray[np.float32]:
        """All samples, shape (n_regions, n_samples), warm-up included."""
        return np.asarray(self.samples).T

    def from_start(self) -> Tap:
        """Return the tap without its warm-up."""
        first = self.clock.index(0.0)
        clock = replace(self.clock, start=self.clock.start + first * self.clock.step, n=self.clock.n - first)
        unmade = getattr(self.samples, "after", None)
        return replace(self, clock=clock, samples=self.samples[first:] if unmade is None else unmade(first))

    def blocks(self, seconds: float = 10.0) -> Iterator[tuple[Clock, npt.NDArray[np.float32]]]:
        """Yield clock and samples, shape (n, n_regions), of consecutive stretches."""
        size = max(1, round(seconds * self.clock.rate))
        for first in range(0, self.clock.n, size):
            block = self.read(first, first + size)
            yield replace(self.clock, start=self.clock.start + first * self.clock.step, n=len(block)), block

    def read(self, first: int, last: int) -> npt.NDArray[np.float32]:
        """Return samples ``first`` to ``last``, shape (n, n_regions); a tap in a file leaves memory again as it is read on."""
        found = np.asarray(self.samples[first:last])
        if getattr(self.samples, "_mmap", None) is not None:
            found = np.array(found)
            let_go(self.samples, first, first + len(found))
        return found

    def at_rate(self, rate: float) -> Tap:
        """Return the tap averaged down to ``rate`` (Hz); a last, incomplete interval is dropped.

        Raises
        ------
        RateError
            If ``rate`` is above the tap's own or not a whole fraction of it.
        """
        factor = self.clock.rate / rate
        if rate > self.clock.rate * (1 + 1e-9):
            raise RateError(
                f"tap '{self.name}' was recorded at {self.clock.rate:g} Hz; {rate:g} Hz cannot be had from it",
                value=rate,
            )
        if not math.isclose(factor, round(factor), rel_tol=1e-6):
            raise RateError(
                f"tap '{self.name}': {rate:g} Hz is not a whole fraction of {self.clock.rate:g} Hz", value=rate
            )
        k, n = round(factor), self.clock.n // round(factor)
        means = np.asarray(self.samples[: n * k]).reshape(n, k, -1).mean(axis=1, dtype=np.float64).astype(np.float32)
        return replace(
            self, clock=Clock(self.clock.start + (k - 1) / 2 * self.clock.step, k * self.clock.step, n), samples=means
        )


def tap_clock(rate: float, start: float, stop: float, step: float) -> Clock:
    """Return the clock of a tap recorded from ``start`` to ``stop`` (s): the middle of the steps in each of its intervals."""
    return Clock(start + (1 / rate - step) / 2, 1 / rate, round((stop - start) * rate))


def let_go(array: npt.NDArray[np.float32], first: int, last: int) -> None:
    """Take a tap in a file out of memory when the rows just written or read, ``first`` to ``last``, complete another `HELD` bytes."""
    mapped, row = getattr(array, "_mmap", None), array.strides[0]
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED") and first * row // HELD != last * row // HELD:
        mapped.madvise(mmap.MADV_DONTNEED)


def storage(
    name: str, n_samples: int, n_regions: int, folder: Path | None, *, beside: int = 1
) -> npt.NDArray[np.float32]:
    """Return room for a tap: in memory when small, else a file in ``folder`` (a temporary one, removed with the array, when None).

    ``beside`` is the number of such taps that are small only together.
    """
    shape = (n_samples, n_regions)
    if beside * n_samples * n_regions * 4 <= IN_MEMORY and folder is None:
        return np.zeros(shape, dtype=np.float32)
    home = folder or Path(tempfile.mkdtemp(prefix="fakeimaging-taps-"))
    home.mkdir(parents=True, exist_ok=True)
    array = np.lib.format.open_memmap(home / f"{name}.npy", mode="w+", dtype=np.float32, shape=shape)
    if folder is None:
        weakref.finalize(array, shutil.rmtree, home, ignore_errors=True)
    return array
