"""Which couplings are ghosts? Sources that know nothing of each other look coupled, for each electrode sees many of them.

Patches of cortex have beta rhythms, in a brain whose regions are not wired. Coherence finds couplings all the same, between electrodes and
between estimated sources; its imaginary part, which mixing without delay leaves at 0 (Nolte et al. 2004,
doi:10.1016/j.clinph.2004.04.029), finds about as many as chance. In a second run one source follows another some ms later, and the
imaginary part tells this pair from the ghosts.
Knob: --lag, in ms. A quarter of a cycle shows best; at 0, or half a cycle (25 ms), the imaginary part is blind.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.sparse import vstack
from scipy.spatial import cKDTree

import fakeimaging as fi
from fakeimaging.modalities.electro.lead_field import electric
from fakeimaging.modalities.electro.sources import patch_moments
from fakeimaging.plotting.canvas import BLUE, OBSERVED, TRUTH, bar, blank, styled
from fakeimaging.scoring.eeg import SNR_SQUARED
from fakeimaging.structure.head import template_head

BETA, BANDWIDTH, DENSITY, EXTENT = 20.0, 4.0, 0.05, 15.0
"""Middle and width of the rhythms' band in Hz, their rms dipole density in nAm/mm2, and radius of a patch in mm."""
PAIR, COUPLING, DEEPEST = (2, 7), 0.8, 40.0
"""Rows of the two that are coupled in the second run, their coherence, and mm below the scalp within which patches lie."""
WINDOW, NORMAL = 1.0, 1.96
"""s of the windows that spectra are averaged over, and what a standard normal number exceeds in size in one case of 20."""
UNWIRED = {"loop_gain": 0.0, "alpha_coupling": 0.0}


def main() -> None:
    """Simulate, estimate, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lag", type=float, default=12.5, help="of the source that follows another, in ms")
    parser.add_argument("--small", action="store_true", help="fewer sources and shorter runs")
    parser.add_argument("--figure", default="ghost_coupling.png", help="where to save the figure")
    options = parser.parse_args()

    subject, places = fi.make_subject("01", seed=1), scattered(n=10 if options.small else 20)
    duration = 120.0 if options.small else 300.0
    found = {}
    for coupling in (0.0, COUPLING):
        eeg = recorded(subject, places, duration, coupling=coupling, lag=1e-3 * options.lag)
        potentials = eeg.observed.to_array()[list(eeg.clean.rows("EEG"))]
        found[coupling] = {"electrodes": potentials, "sources": estimated(eeg, potentials, places)}
    n = int(duration / WINDOW)
    shares = {where: significant(coherency(series, eeg), n) for where, series in found[0.0].items()}
    print(f"pairs called coupled at p < 0.05 where none is, {len(places)} sources, {duration:g} s:")
    for where, (by_coherence, by_imaginary) in shares.items():
        print(
            f"{where}: {100 * by_coherence:.0f} % by coherence, {100 * by_imaginary:.0f} % by its imaginary part; 5 % by chance"
        )
    estimate, truth = coherency(found[COUPLING]["sources"], eeg), true_coherency(eeg)
    print(
        f"the pair that is coupled, {options.lag:g} ms apart, among all {len(places) * (len(places) - 1) // 2} pairs:"
    )
    for name, part in (("coherence", np.abs), ("imaginary part", lambda values: np.abs(values.imag))):
        print(f"{name}: {part(estimate)[PAIR]:.2f}, number {rank(part(estimate))} (true: {part(truth)[PAIR]:.2f})")
    draw(estimate, truth, shares).savefig(options.figure, dpi=130)


def scattered(n):
    """Return places of the cortex (template mm) near the scalp, each as far as can be from those before it."""
    space = electric().field.space
    depth, _ = cKDTree(template_head().vertices["scalp"]).query(space.points)
    points = space.points[space.cortex & (depth < DEEPEST)].astype(float)
    chosen = [0]
    away = np.full(len(points), np.inf)
    while len(chosen) < n:
        away = np.minimum(away, np.linalg.norm(points - points[chosen[-1]], axis=1))
        chosen.append(int(away.argmax()))
    return points[chosen]


def recorded(subject, places, duration, *, coupling, lag):
    """Return an EEG of rhythms at places; the second of the pair follows the first."""
    rhythm = {"waveform": "rhythm", "frequency": BETA, "bandwidth": BANDWIDTH, "density": DENSITY, "extent": EXTENT}
    sources = [{"name": f"place-{k}", "near": place.tolist(), **rhythm} for k, place in enumerate(places)]
    sources[PAIR[1]] |= {"follows": f"place-{PAIR[0]}", "coupling": coupling, "lag": lag}
    activity = fi.simulate_activity(subject, duration=duration, taps=("dipole",), parameters=UNWIRED, sources=sources)
    return fi.acquire("eeg", subject, activity)


def estimated(eeg, potentials, places):
    """Return the course of each patch by minimum norm over all of the cortex, its unit arbitrary, shape (n_places, n_samples)."""
    field = electric().at([eeg.clean.channels[i].name for i in eeg.clean.rows("EEG")])
    every = field.columns()[:, : field.space.n_vertices]
    maps = field.project(vstack([patch_moments(field.space, place, EXTENT, total=True) for place in places]))
    every, maps = every - every.mean(axis=0), maps - maps.mean(axis=0)
    gram = every @ every.T
    ridge = np.trace(gram) / len(gram) / SNR_SQUARED
    return maps.T @ np.linalg.solve(gram + ridge * np.eye(len(gram)), potentials)


def coherency(series, eeg):
    """Return the coherency of each pair at the middle of the band, over windows without overlap, shape (n, n)."""
    size = round(WINDOW * eeg.clean.clock.rate)
    windows = series[:, : series.shape[1] // size * size].reshape(len(series), -1, size)
    wave = np.hanning(size) * np.exp(-2j * np.pi * BETA * np.arange(size) / eeg.clean.clock.rate)
    amplitudes = (windows - windows.mean(axis=2, keepdims=True)) @ wave
    cross = amplitudes @ amplitudes.conj().T
    power = np.sqrt(np.diag(cross).real)
    return cross / np.outer(power, power)


def significant(found, n):
    """Return the share of pairs whose coherence, and whose imaginary part, over n windows exceeds what chance exceeds in 5 %."""
    c = found[np.triu_indices(len(found), 1)]
    # The imaginary part varies about 0 by (1 - |c|^2) / 2n, however large the real part is.
    size = np.sqrt(2 * n / (1 - np.abs(c) ** 2)) * np.abs(c.imag)
    return (np.abs(c) ** 2 > 1 - 0.05 ** (1 / (n - 1))).mean(), (size > NORMAL).mean()


def true_coherency(eeg):
    """Return the true coherency of each pair of sources."""
    sources = eeg.source[1].sources
    return np.array([[one.coherence(other, np.array([BETA]))[0] for other in sources] for one in sources])


def rank(values):
    """Return which number the pair has among all, the largest being 1."""
    every = values[np.triu_indices(len(values), 1)]
    return 1 + int((every > values[PAIR]).sum())


@styled
def draw(estimate, truth, shares):
    """Draw the true couplings, both estimates of them, and how many are found where there is none."""
    figure = blank(11.0, 2.8)
    *matrices, last = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.1])
    shown = {
        "true coherence": np.abs(truth),
        "estimated coherence": np.abs(estimate),
        "its imaginary part": np.abs(estimate.imag),
    }
    for ax, (title, values) in zip(matrices, shown.items(), strict=True):
        image = ax.imshow(np.where(np.eye(len(values)) > 0, np.nan, values), vmin=0, vmax=COUPLING, cmap="viridis")
        ax.plot(*PAIR[::-1], "s", mfc="none", mec=TRUTH, ms=9)
        ax.set(title=title, xlabel="source", xticks=[], yticks=[])
    matrices[0].set_ylabel("source")
    bar(figure, matrices, image, "size")
    places = np.arange(len(shares))
    for k, (label, colour) in enumerate({"coherence": OBSERVED, "imaginary part": BLUE}.items()):
        last.bar(places + 0.36 * k, [100 * share[k] for share in shares.values()], 0.34, color=colour, label=label)
    last.axhline(5, color="k", ls="--", lw=0.8, label="chance")
    last.set_xticks(places + 0.18, list(shares))
    last.set(ylabel="pairs found (%)", ylim=(0, 118), yticks=range(0, 101, 20), title="where nothing is coupled")
    last.legend(loc="upper center", ncols=3, handlelength=1.2, columnspacing=1)
    return figure


if __name__ == "__main__":
    main()
