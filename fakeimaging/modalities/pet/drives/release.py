"""Dopamine competes for the receptors: BPND_i(t) = density_i (1 + d0) / (1 + d0 D_i(t)), d0 = occupancy / (1 - occupancy) at rest.

    D_i = 1 + gain y_i + imposed release,   T dy_i/dt = A_i / A0 - 1 - y_i

A is the firing of the region itself, or the mean of those that release (`released_by`), and A0 then their own mean. T is some minutes
(`release_time`); it matters to a scan that follows its run, and where the mean of the run drives the scan y is that mean.
"""

from __future__ import annotations

import numpy as np

from fakeimaging.modalities.pet.drives.course import Stretch
from fakeimaging.modalities.pet.drives.firing import Firing, firing, firing_of
from fakeimaging.modalities.pet.imposed import held, refined, regional_course
from fakeimaging.modalities.pet.modulation import Imaged, Modulation, unchanged
from fakeimaging.modalities.pet.plasma import Array
from fakeimaging.modalities.pet.tracers import MINUTE
from fakeimaging.structure.selection import check_known, chosen


def release(imaged: Imaged) -> Modulation:
    """Scale binding; what a challenge releases on top is told apart from it."""
    p, tracer, fired = imaged.parameters, imaged.tracer, firing_of(imaged)
    challenges = [challenge for challenge in p.challenges if challenge.size is not None]
    gain = tracer.constant("gain") if p.release_gain is None else p.release_gain
    edges = refined(fired.stretch.edges, challenges)
    now = held(fired.stretch.edges, edges)
    level = np.maximum(1 + gain * _excess(imaged, fired), 0)[now]
    dopamine = np.maximum(level + regional_course(challenges, "size", edges, imaged.subject.regions), 0)
    share = tracer.constant("occupancy")
    d0 = share / (1 - share)
    free, left = (1 + d0) / (1 + d0 * level), (1 + d0 * level) / (1 + d0 * dopamine)
    truth = {"firing": fired.rate, "firing_ratio": fired.ratio[now], "dopamine": dopamine}
    spread, delivery = imaged.classes.spread, unchanged(imaged.classes, len(edges) - 1)
    challenged = spread(left, 1.0) if challenges else None
    return Modulation(edges[:-1] / MINUTE, delivery, spread(free, 1.0), truth, fired.about, challenged)


def _excess(imaged: Imaged, fired: Firing) -> Array:
    """Return y of each step, shape (n_steps, n_regions)."""
    p, stretch = imaged.parameters, fired.stretch
    ratio = fired.ratio
    if not stretch.follows:
        return _released(imaged, fired, ratio) - 1
    lengths = np.diff(stretch.edges)
    if stretch.begin > 0:
        before = Stretch(stretch.activity, 0.0, _until(stretch.begin, float(lengths[0])), follows=True)
        ratio = np.concatenate([firing(before, baseline=fired.baseline).ratio, ratio])
        lengths = np.concatenate([np.diff(before.edges), lengths])
    return slowed(_released(imaged, fired, ratio) - 1, lengths, p.release_time)[-len(fired.ratio) :]


def _until(end: float, step: float) -> Array:
    return np.append(np.arange(0.0, end - 1e-6, step), end)


def _released(imaged: Imaged, fired: Firing, ratio: Array) -> Array:
    """Return firing over baseline of what releases into each region."""
    p, regions = imaged.parameters, imaged.subject.regions
    if not p.released_by:
        return ratio
    check_known(p.released_by, regions, where="pet.released_by")
    source = chosen(p.released_by, regions)
    rest = float((fired.stretch.shares @ fired.ratio)[source].mean()) if p.baseline_rate is None else 1.0
    course = ratio[:, source].mean(axis=1) / rest if rest > 0 else np.ones(len(ratio))
    return np.repeat(course[:, None], ratio.shape[1], axis=1)


def slowed(driven: Array, lengths: Array, constant: float) -> Array:
    """Return the mean over each step of y in T dy/dt = x - y, x held in each step, y at first where x is.

    Parameters
    ----------
    driven : ndarray, shape (n_steps, n_regions)
        x.
    lengths : ndarray, shape (n_steps,)
        Of the steps in s.
    constant : float
        T in s; 0 gives x.
    """
    if constant == 0:
        return driven
    y, found = driven[0], np.empty_like(driven)
    for i, (x, length) in enumerate(zip(driven, lengths, strict=True)):
        left = np.exp(-length / constant)
        found[i] = x + (y - x) * (1 - left) * constant / length
        y = x + (y - x) * left
    return found
