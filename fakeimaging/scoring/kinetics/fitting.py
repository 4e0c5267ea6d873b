"""Fits of many curves at once: linear in some constants and by a search in one rate, or by damped Gauss-Newton steps in all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fakeimaging.scoring.kinetics.timing import Array

STEP = 1e-4
"""Relative step with which derivatives are taken."""
ROUNDS = 60
REFINEMENTS, NARROWER = 2, 0.1
"""How often the search for a rate starts again about what it found, and how much narrower each time."""
STILL = 1e-12
"""Relative fall of the misfit below which a fit is taken to have ended."""
STUCK = 1e8
"""Damping above which no step helps any more."""


def rate_fit(data: Array, weights: Array, designs: Callable[[Array], Array], rates: Array) -> tuple[Array, Array]:
    """Fit curves that are linear in all constants but one, a rate, which is searched for.

    Parameters
    ----------
    data : ndarray, shape (n, n_frames)
    weights : ndarray, shape (n_frames,)
        Inverse variance.
    designs : callable
        From rates, shape (m,), to their designs, shape (m, n_frames, n_columns).
    rates : ndarray, shape (n_rates,)
        1/min, in even steps of their logarithm.

    Returns
    -------
    coefficients : ndarray, shape (n, n_columns)
    rate : ndarray, shape (n,)
        Where the misfit is least: of those tried, then on parabolas ever closer to it.
    """
    misfits = np.stack([weighted_fit(data, weights, design)[1] for design in designs(rates)], axis=1)
    tried, step = np.log(rates), float(np.log(rates[1] / rates[0]))
    k = np.clip(misfits.argmin(axis=1), 1, len(rates) - 2)
    found = tried[k] + step * _lowest(*(misfits[np.arange(len(data)), k + shift] for shift in (-1, 0, 1)))
    for _ in range(REFINEMENTS):
        step *= NARROWER
        three = (_each(data, weights, designs(np.exp(found + shift * step)))[1] for shift in (-1, 0, 1))
        found += step * _lowest(*three)
    rate = np.exp(found)
    return _each(data, weights, designs(rate))[0], rate


def _lowest(before: Array, here: Array, after: Array) -> Array:
    """Return where a parabola through values at -1, 0 and 1 is lowest, within that range."""
    bend = before - 2 * here + after
    return np.clip(np.divide(before - after, 2 * bend, out=np.zeros_like(bend), where=bend > 0), -1, 1)


def weighted_fit(data: Array, weights: Array, design: Array) -> tuple[Array, Array]:
    """Return coefficients, shape (n, n_columns), and weighted sum of squares, shape (n,), of curves by one design for all."""
    root = np.sqrt(weights)
    scaled = design * root[:, None]
    found = np.linalg.lstsq(scaled, (data * root).T, rcond=None)[0]
    return np.asarray(found.T), np.asarray((((data * root).T - scaled @ found) ** 2).sum(axis=0))


def _each(data: Array, weights: Array, designs: Array) -> tuple[Array, Array]:
    """Return what `weighted_fit` does, each curve by its own design; designs of shape (n, n_frames, n_columns)."""
    root = np.sqrt(weights)
    bases, upper = np.linalg.qr(designs * root[:, None])
    scaled = (data * root)[..., None]
    along = np.swapaxes(bases, 1, 2) @ scaled
    left = scaled - bases @ along
    return np.linalg.solve(upper, along)[..., 0], (left**2).sum(axis=(1, 2))


def descend(
    model: Callable[[Array], Array], data: Array, weights: Array, start: Array, low: Array, high: Array
) -> tuple[Array, Array]:
    """Fit constants of each curve by Levenberg's and Marquardt's method, all curves at once.

    Parameters
    ----------
    model : callable
        From constants, shape (n, n_constants), to curves, shape (n, n_frames).
    data : ndarray, shape (n, n_frames)
    weights : ndarray, shape (n_frames,)
        Inverse variance.
    start : ndarray, shape (n, n_constants)
    low, high : ndarray, shape (n_constants,)
        Bounds.

    Returns
    -------
    constants : ndarray, shape (n, n_constants)
    misfit : ndarray, shape (n,)
        Weighted sum of squares.
    """
    found, root = np.clip(start, low, high), np.sqrt(weights)
    left = root * (data - model(found))
    misfit, damping = (left**2).sum(axis=1), np.full(len(data), 1e-3)
    ended = np.zeros(len(data), dtype=bool)
    for _ in range(ROUNDS):
        slopes = _slopes(model, found, root, high)
        uphill = (np.swapaxes(slopes, 1, 2) @ left[..., None])[..., 0]
        held = ((found <= low) & (uphill <= 0)) | ((found >= high) & (uphill >= 0))
        slopes = np.where(held[:, None], 0.0, slopes)
        curvature = np.swapaxes(slopes, 1, 2) @ slopes
        own = np.einsum("nii->ni", curvature)
        damped = curvature + np.where(own > 0, damping[:, None] * own, 1.0)[..., None] * np.eye(found.shape[1])
        step = np.linalg.solve(damped, np.where(held, 0.0, uphill)[..., None])[..., 0]
        trial = np.clip(found + step, low, high)
        rest = root * (data - model(trial))
        fallen = misfit - (rest**2).sum(axis=1)
        better = fallen > 0
        found, left = np.where(better[:, None], trial, found), np.where(better[:, None], rest, left)
        damping = np.where(better, damping / 5, damping * 4)
        ended |= (better & (fallen <= STILL * misfit)) | (damping > STUCK)
        misfit = np.where(better, misfit - fallen, misfit)
        if ended.all():
            break
    return found, misfit


def _slopes(model: Callable[[Array], Array], found: Array, root: Array, high: Array) -> Array:
    """Return weighted derivatives by the constants, shape (n, n_frames, n_constants)."""
    columns, here = [], model(found)
    for k in range(found.shape[1]):
        step = STEP * np.maximum(np.abs(found[:, k]), 1e-6)
        step = np.where(found[:, k] + step > high[k], -step, step)
        moved = found.copy()
        moved[:, k] += step
        columns.append((model(moved) - here) * root / step[:, None])
    return np.stack(columns, axis=-1)
