"""Distortion of a line, step by step: every crumb of signal is carried to where it lands."""

import numpy as np
from scipy.interpolate import CubicSpline, make_interp_spline

CRUMBS = 400


def push(line, shift):
    """Carry the signal of a line of voxels, 0 near both ends, by ``shift`` voxels; what leaves the line is lost."""
    n = len(line)
    edges = np.arange(n + 1) - 0.5
    integral = make_interp_spline(edges, np.concatenate([[0.0], np.cumsum(line)]), k=3)
    faces = np.linspace(-0.5, n - 0.5, n * CRUMBS + 1)
    crumbs, middle = np.diff(integral(faces)), (faces[1:] + faces[:-1]) / 2
    knots = np.linspace(-0.5, n - 0.5, 4 * n + 1)
    fine = CubicSpline(np.arange(n), shift)(np.clip(knots, 0, n - 1))
    lands = np.floor(middle + np.interp(middle, knots, fine) + 0.5).astype(int)
    kept = (lands >= 0) & (lands < n)
    return np.bincount(lands[kept], crumbs[kept], minlength=n)
