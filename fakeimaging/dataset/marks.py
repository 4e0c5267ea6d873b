"""Marks in time that a file of electrophysiology carries: events, the scanner's volumes, bad stretches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from fakeimaging.core.clocks import Clock

VOLUME = "R128"
"""Name of a volume's mark: what BrainAmp writes for a scanner's trigger, and what the tools that take its artefact out look for."""


@dataclass(frozen=True, order=True)
class Mark:
    """One mark.

    Parameters
    ----------
    onset, duration : float
        In s from the first sample.
    name : str
    kind : {"event", "volume", "bad"}
    """

    onset: float
    duration: float
    name: str
    kind: str = "event"

    @property
    def text(self) -> str:
        """What it is called in files that know names alone: MNE-Python leaves out what begins with ``BAD_``."""
        return f"BAD_{self.name}" if self.kind == "bad" else self.name


def marks_of(
    clock: Clock,
    events: Iterable[tuple[float, float, str]] = (),
    volumes: Iterable[float] = (),
    bad_segments: Iterable[tuple[float, float, str]] = (),
) -> list[Mark]:
    """Return the marks of a recording in order; those outside it are left out, bad stretches end where it ends.

    Parameters
    ----------
    clock : Clock
        Of the recording.
    events, bad_segments : iterable of (onset, duration, name)
        In s of the run.
    volumes : iterable of float
        Onsets in s of the run.

    Examples
    --------
    >>> [mark.text for mark in marks_of(Clock(0.0, 0.01, 500), [(1.0, 0.0, "go")], [0.5], [(4.0, 9.0, "muscle")])]
    ['R128', 'go', 'BAD_muscle']
    """
    length, half = clock.n * clock.step, clock.step / 2
    found = [Mark(onset - clock.start, duration, name) for onset, duration, name in events]
    found += [Mark(onset - clock.start, 0.0, VOLUME, "volume") for onset in volumes]
    for onset, duration, name in bad_segments:
        first, stop = max(onset - clock.start, 0.0), min(onset + duration - clock.start, length)
        if first < stop:
            found.append(Mark(first, stop - first, name, "bad"))
    within = (mark for mark in found if -half <= mark.onset < length - half)
    return sorted(replace(mark, onset=max(mark.onset, 0.0)) for mark in within)
