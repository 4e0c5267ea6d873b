"""Spins one by one: magnetisation of many depths of a column that moves across excited slices, by the Bloch equation along z alone."""

import numpy as np


def slice_signals(moved, slice_times, tr, t1, flip_angle, n_depths=400, settle=200):
    """Mean magnetisation that each excitation of each slice meets, shape (n_volumes, n_slices), 1 at rest.

    ``moved`` (n_volumes,) is the column's displacement in slices. Every spin recovers exactly from excitation to excitation.
    """
    n_slices, n_volumes = len(slice_times), len(moved)
    beyond = 3 * n_depths
    place = (np.arange(-beyond, n_slices * n_depths + beyond) + 0.5) / n_depths
    cosine = np.cos(np.deg2rad(flip_angle))
    magnetisation, last = np.ones(len(place)), np.full(len(place), -1e6)
    found = np.zeros((n_volumes, n_slices))
    for v in range(-settle, n_volumes):
        where = np.floor(place + moved[max(v, 0)]).astype(int)
        for s, offset in enumerate(slice_times):
            hit = where == s
            now = v * tr + offset
            met = 1 - (1 - magnetisation[hit]) * np.exp(-(now - last[hit]) / t1)
            if v >= 0:
                found[v, s] = met.mean()
            magnetisation[hit], last[hit] = met * cosine, now
    return found


def first_excitations(n, tr, t1, flip_angle):
    """Magnetisation that excitations 0 ... n - 1 of a spin at rest meet."""
    met, m = [], 1.0
    for _ in range(n):
        met.append(m)
        after = m * np.cos(np.deg2rad(flip_angle))
        m = 1 - (1 - after) * np.exp(-tr / t1)
    return np.array(met)


def spin_echoes(n, tr, echo_time, t1):
    """The same with 90 degrees and, half an echo time later, 180."""
    met, m = [], 1.0
    for _ in range(n):
        met.append(m)
        inverted = -(1 - np.exp(-echo_time / 2 / t1))
        m = 1 - (1 - inverted) * np.exp(-(tr - echo_time / 2) / t1)
    return np.array(met)
