"""From activity and density to the rate constants of each tissue: what a tracer meets in this subject during this run.

    metabolism   CMRglc_i = CMR0_i (1 - f + f A_i / A0); transport and trapping scale together (flow follows metabolism), so that
                 Ki_i = CMRglc_i LC / Cglc
    release      BPND_i = density_i (1 + d0) / (1 + d0 D_i), D_i = 1 + gain (A_i / A0 - 1), d0 = occupancy / (1 - occupancy)

A is the excitatory plus the inhibitory firing rate, A0 its mean over all regions and the run (the scan, when that follows the run's course)
unless `baseline_rate` says otherwise.
Classes are the regions in their order, then `tracers.BEYOND`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.activity import Activity
from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.kinetics import Constants, Schedule, reference_tissue
from fakeimaging.modalities.pet.plasma import Array, InputFunction
from fakeimaging.modalities.pet.tracers import BEYOND, MINUTE, Tracer
from fakeimaging.structure.receptors import kinds_of, varied
from fakeimaging.structure.subject import Subject

FOLLOW_STEP = 30.0
"""Seconds over which activity is averaged when a scan follows its course."""


@dataclass(frozen=True, eq=False)
class Firing:
    """Firing relative to baseline.

    Parameters
    ----------
    starts : ndarray, shape (n_steps,)
        Minutes; one step at 0 when the mean of the run drives the whole scan.
    ratio : ndarray, shape (n_steps, n_regions)
        A / A0, at least 0.
    rate : ndarray, shape (n_regions,)
        Mean A in Hz: of the run, or of the part of it that a scan follows.
    baseline : float
        A0 in Hz.
    """

    starts: Array
    ratio: Array
    rate: Array
    baseline: float


@dataclass(frozen=True, eq=False)
class Uptake:
    """What drives the curves of each class.

    Parameters
    ----------
    plasma : InputFunction
        Unchanged tracer in arterial plasma, Bq/mL.
    schedule : Schedule
        Constants of each class from each time on.
    blood_volume : ndarray, shape (n_classes,)
    truth : mapping of str to ndarray
        One row a region.
    """

    plasma: InputFunction
    schedule: Schedule
    blood_volume: Array
    truth: dict[str, npt.NDArray]


def firing(activity: Activity, *, baseline: float | None, seconds: float | None) -> Firing:
    """Return the firing that drives a scan.

    Parameters
    ----------
    activity : Activity
    baseline : float, optional
        A0 in Hz; the mean of ``rate`` over the regions when left out.
    seconds : float, optional
        Length of a scan that follows the course of the activity; None takes the mean of the run throughout.

    Raises
    ------
    InputError
        If nothing fires, or the run is shorter than the scan that follows it.
    """
    if seconds is not None and activity.duration < seconds - 1e-6:
        raise InputError(
            f"`pet.follow`: the run lasts {activity.duration:g} s and the scan {seconds:g} s; "
            "make the run as long, or let its mean drive the scan (follow = false)",
            value=seconds,
        )
    names = ["rate", *(name for name in ("inhibitory_rate",) if name in activity.taps)]
    end = np.inf if seconds is None else seconds
    mean = np.sum([_course(activity, name, np.array([0.0, end]))[0] for name in names], axis=0)
    reference = float(mean.mean()) if baseline is None else baseline
    if not reference > 0:
        raise InputError(f"the mean firing of this run is {reference:g} Hz; give pet a `baseline_rate` above 0")
    starts = np.zeros(1) if seconds is None else np.arange(0.0, seconds - 1e-6, FOLLOW_STEP)
    course = np.sum([_course(activity, name, np.append(starts, end)) for name in names], axis=0)
    return Firing(starts / MINUTE, np.maximum(course / reference, 0), mean, reference)


def _course(activity: Activity, name: str, edges: Array) -> Array:
    """Return the mean of a tap from each edge (s) to the next, shape (len(edges) - 1, n_regions)."""
    tap = activity.tap(name).from_start()
    first = np.searchsorted(tap.clock.times, edges - 1e-9)
    sums = np.add.reduceat(np.asarray(tap.samples)[: first[-1]], first[:-1], axis=0, dtype=float)
    return np.asarray(sums / np.diff(first)[:, None])


def uptake(subject: Subject, tracer: Tracer, fired: Firing, suv: float, gain: float | None = None) -> Uptake:
    """Return plasma curve and constants of every class.

    Parameters
    ----------
    subject : Subject
    tracer : Tracer
    fired : Firing
    suv : float
        Injected activity over body weight in Bq/g, the unit of the plasma curve.
    gain : float, optional
        Of release; the tracer's own when left out.

    Raises
    ------
    InputError
        If the tracer says nothing about a kind of region of this subject.
    """
    plasma = tracer.input.curve().scaled(suv)
    kinds = [*kinds_of(subject), *BEYOND]
    make = _trapping if tracer.model == "trapping" else _reference
    series, truth = make(subject, tracer, fired, kinds, gain)
    blood = _column(tracer, kinds, "vB")
    weights = _exposure(plasma, fired.starts)
    shared = {"firing": fired.rate, "firing_ratio": weights @ fired.ratio}
    means = {name: weights @ values for name, values in truth.items()}
    return Uptake(plasma, list(zip(fired.starts.tolist(), series, strict=True)), blood, means | shared)


def _exposure(plasma: InputFunction, starts: Array) -> Array:
    """Share of each step in the area of the plasma curve: early activity counts most."""
    if len(starts) == 1:
        return np.ones(1)
    step = starts[1] - starts[0]
    fine = starts[:, None] + step * (np.arange(200) + 0.5) / 200
    area = plasma.at(fine).sum(axis=1)
    return np.asarray(area / area.sum())


def _column(tracer: Tracer, kinds: list[str], name: str, default: float | None = None) -> Array:
    return np.array([tracer.of_kind(kind, name, default) for kind in kinds])


def _vary(subject: Subject, tracer: Tracer, values: Array, name: str) -> Array:
    """Give the regions this subject's own values; what lies beyond them stays."""
    n, spread = subject.n_regions, tracer.variation
    own = varied(subject, values[:n], name, between=spread.between.value, within=spread.within.value)
    return np.concatenate([own, values[n:]])


def _driven(tracer: Tracer, fired: Firing, drive: str) -> Array:
    """Return A / A0 of each class, shape (n_steps, n_classes): 1 beyond the regions, and everywhere for another drive."""
    ratio = np.ones((len(fired.ratio), fired.ratio.shape[1] + len(BEYOND)))
    if tracer.drive == drive:
        ratio[:, : fired.ratio.shape[1]] = fired.ratio
    return ratio


def _trapping(
    subject: Subject, tracer: Tracer, fired: Firing, kinds: list[str], gain: float | None
) -> tuple[list[Constants], dict[str, Array]]:
    K1, k2, k3 = (_column(tracer, kinds, name) for name in ("K1", "k2", "k3"))
    to_ki = tracer.constant("lumped_constant") / (100 * tracer.constant("plasma_glucose"))
    at_rest = Constants(K1, k2, k3, np.zeros_like(k3)).trapping / to_ki
    baseline = _vary(subject, tracer, _column(tracer, kinds, "cmrglc", np.nan), "metabolism")
    baseline = np.where(np.isnan(baseline), at_rest, baseline)
    share = tracer.constant("share") if tracer.drive == "metabolism" else 0.0
    rates = baseline * (1 - share + share * _driven(tracer, fired, "metabolism"))
    scale = np.divide(rates, at_rest, out=np.ones_like(rates), where=at_rest > 0)
    series = [Constants(K1 * s, k2 * s, k3 * s, np.zeros_like(k3)) for s in scale]
    n = subject.n_regions
    truth = {"cmrglc": rates[:, :n], "ki": rates[:, :n] * to_ki}
    return series, truth | {name: (c * scale)[:, :n] for name, c in (("K1", K1), ("k2", k2), ("k3", k3))}


def _reference(
    subject: Subject, tracer: Tracer, fired: Firing, kinds: list[str], gain: float | None
) -> tuple[list[Constants], dict[str, Array]]:
    R1 = _column(tracer, kinds, "R1", 1.0)
    density = _vary(subject, tracer, _column(tracer, kinds, "BPND", 0.0), "receptors")
    bpnd = np.broadcast_to(density, (len(fired.ratio), len(density)))
    if tracer.drive == "release":
        bpnd = density * _availability(tracer, _driven(tracer, fired, "release"), gain)
    K1, k2, n = tracer.constant("K1"), tracer.constant("k2"), subject.n_regions
    series = [reference_tissue(R1, now, K1, k2) for now in bpnd]
    fixed = np.broadcast_to(density, bpnd.shape)[:, :n]
    delivery = np.broadcast_to(R1, bpnd.shape)[:, :n]
    free = {"R1": delivery, "K1": delivery * K1, "k2": delivery * k2}
    return series, {"bpnd": bpnd[:, :n], "density": fixed, **free}


def _availability(tracer: Tracer, ratio: Array, gain: float | None) -> Array:
    """Return binding relative to rest when dopamine competes for the receptors."""
    held = tracer.constant("occupancy")
    at_rest = held / (1 - held)
    dopamine = np.maximum(1 + (tracer.constant("gain") if gain is None else gain) * (ratio - 1), 0)
    return np.asarray((1 + at_rest) / (1 + at_rest * dopamine))
