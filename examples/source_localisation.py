"""How far from the truth does source localisation land, and how much nearer does it seem to land by the inverse crime?

Patches of cortex answer to events of their own; sLORETA finds them in averaged EEG, twice. One analyst has the very field that made the
data, on the very grid of sources: the inverse crime. The other has a head model of the analyst's own, made with MNE-Python on a quarter
of the sources, as with real data.
Knob: --head-model, of the second analyst: sphere, or bem (boundary elements on coarser surfaces than those that made the data).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

import fakeimaging as fi
from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro.electrodes import native_to_captrak
from fakeimaging.modalities.electro.lead_field import electric, to_native
from fakeimaging.plotting.canvas import BLUE, GREY, OBSERVED, blank, styled
from fakeimaging.structure.head import template_head

EXTENT, DENSITY, PEAK = 10.0, 0.5, 0.1
"""Radius of a patch in mm, its dipole density at the peak in nAm/mm2, and when that is after an event, in s."""
QUIET, APART = 30.0, 0.15
"""s before the first event, which tell of the noise, and from event to event."""
COARSE = 2562
"""Vertices of each hemisphere that the second analyst has: those of fsaverage4, which come first."""
LAYERS = {"inner_skull": "inner_skull", "outer_skull": "outer_skull", "outer_skin": "scalp"}


def main() -> None:
    """Simulate, localise twice, score, draw."""
    import mne

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--head-model", choices=("sphere", "bem"), default="sphere", help="of the second analyst")
    parser.add_argument("--small", action="store_true", help="fewer places and trials")
    parser.add_argument("--figure", default="source_localisation.png", help="where to save the figure")
    options = parser.parse_args()

    mne.set_log_level("error")
    subject = fi.make_subject("01", seed=1)
    vertices, onsets = design(n_places=12 if options.small else 36, n_trials=80 if options.small else 100)
    eeg = recorded(subject, vertices, onsets)
    raw, field = eeg.to_mne().pick("eeg").set_eeg_reference(projection=True), eeg.to_mne_forward()
    analysts = {
        "same field, the crime": field,
        f"own model, {options.head_model}": own_model(subject, raw, field, options.head_model),
    }
    average, noise = averages(raw, onsets)
    maps = {name: estimates(average, forward, noise) for name, forward in analysts.items()}
    places = places_of(field)
    errors = {
        name: distance(places_of(analysts[name])[maps[name].argmax(axis=1)], places[vertices]) for name in analysts
    }
    chance = np.median([distance(place, places[vertices]) for place in places[::50]])
    print(
        f"distance of the estimate's peak from the middle of the true patch, {len(vertices)} places, {len(onsets[0])} trials each:"
    )
    for name, error in errors.items():
        print(f"{name}: median {np.median(error):.0f} mm, three quarters within {np.quantile(error, 0.75):.0f} mm")
    print(f"a place at random: median {chance:.0f} mm")
    draw(vertices, places, analysts, maps, errors, chance).savefig(options.figure, dpi=130)


def design(n_places, n_trials):
    """Return vertices of the cortex, and when each answers (s): places take turns in random order."""
    rng, space = fi.Streams(1).at("design").rng(), electric().field.space
    vertices = rng.choice(np.flatnonzero(space.cortex), n_places, replace=False)
    turns = np.concatenate([rng.permutation(n_places) for _ in range(n_trials)])
    return vertices, [QUIET + APART * np.flatnonzero(turns == k) for k in range(n_places)]


def recorded(subject, vertices, onsets):
    """Return an EEG of a run in which patches around some vertices answer to their events."""
    points = electric().field.space.points[vertices].tolist()
    sources = [
        {
            "name": f"place-{k}",
            "near": point,
            "extent": EXTENT,
            "density": DENSITY,
            "peak": PEAK,
            "onsets": times.tolist(),
        }
        for k, (point, times) in enumerate(zip(points, onsets, strict=True))
    ]
    last = max(times[-1] for times in onsets)
    activity = fi.simulate_activity(subject, duration=float(np.ceil(last + 1)), taps=("dipole",), sources=sources)
    return fi.acquire("eeg", subject, activity)


def own_model(subject, raw, crime, head_model):
    """Return a forward solution made with MNE-Python from the electrodes and a quarter of the vertices."""
    import mne

    sources = mne.SourceSpaces([source.copy() for source in crime["src"]])
    for source in sources:
        source["vertno"] = np.arange(COARSE)
        source["inuse"], source["nuse"] = (np.arange(source["np"]) < COARSE).astype(int), COARSE
    head = mne.make_sphere_model("auto", "auto", raw.info) if head_model == "sphere" else boundary_elements(subject)
    same = mne.transforms.Transform("mri", "head")
    forward = mne.make_forward_solution(raw.info, same, sources, head, meg=False, mindist=0.0)
    return mne.convert_forward_solution(forward, surf_ori=True, force_fixed=True, use_cps=False)


def boundary_elements(subject):
    """Return three layers of the subject's head, solved on surfaces of 642 vertices."""
    import mne

    head, to_head = template_head(), native_to_captrak(subject) @ to_native(subject)
    with tempfile.TemporaryDirectory() as folder:
        surfaces = Path(folder) / "head" / "bem"
        surfaces.mkdir(parents=True)
        for name, ours in LAYERS.items():
            mne.write_surface(surfaces / f"{name}.surf", apply_affine(to_head, head.vertices[ours]), head.triangles)
        return mne.make_bem_solution(mne.make_bem_model("head", ico=3, subjects_dir=folder))


def averages(raw, onsets):
    """Return each place's average at its peak, as columns of one evoked response, and the covariance of the noise before all of them."""
    import mne

    filtered = raw.copy().filter(1.0, 40.0)
    noise = mne.compute_raw_covariance(filtered, tmax=QUIET - 1)
    data = filtered.get_data()
    peaks = [data[:, filtered.time_as_index(times + PEAK, use_rounding=True)].mean(axis=1) for times in onsets]
    return mne.EvokedArray(np.column_stack(peaks), filtered.info, nave=len(onsets[0])), noise


def estimates(average, forward, noise):
    """Return sLORETA's map of each place's average, shape (n_places, n_sources)."""
    from mne.minimum_norm import apply_inverse, make_inverse_operator

    inverse = make_inverse_operator(average.info, forward, noise, loose=0.0, fixed=True, depth=None)
    return np.abs(apply_inverse(average, inverse, method="sLORETA").data.T)


def places_of(forward):
    """Return where the sources of a forward solution lie, in mm of the head."""
    return 1e3 * np.concatenate([source["rr"][source["vertno"]] for source in forward["src"]])


def distance(found, true):
    """Return distances in mm."""
    return np.linalg.norm(found - true, axis=-1)


@styled
def draw(vertices, places, analysts, maps, errors, chance):
    """Draw truth and both estimates of one place on the inflated cortex, and the error of each place against its depth."""
    figure = blank(11.0, 2.9)
    *brains, last = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.3])
    shown = int(sum(np.abs(error - np.median(error)) for error in errors.values()).argmin())
    middle = places[vertices[shown]]
    patch = distance(places, middle) <= EXTENT
    draw_cortex(brains[0], vertices[shown], patch.astype(float), "true patch")
    for ax, (name, found), error in zip(brains[1:], maps.items(), errors.values(), strict=True):
        nearest = cKDTree(places_of(analysts[name])).query(places)[1]
        draw_cortex(ax, vertices[shown], found[shown][nearest], f"{name}: {error[shown]:.0f} mm off")
    draw_errors(last, vertices, errors, chance)
    return figure


def draw_cortex(ax, vertex, values, title):
    """Draw values above half of their largest on the inflated hemisphere of a vertex, from the side on which it lies."""
    from nilearn.datasets import load_fsaverage, load_fsaverage_data

    half = len(values) // 2
    side, first = ("left", 0) if vertex < half else ("right", half)
    surface = load_fsaverage("fsaverage5")["inflated"].parts[side]
    points, triangles = surface.coordinates, surface.faces
    normals = np.cross(
        points[triangles[:, 1]] - points[triangles[:, 0]], points[triangles[:, 2]] - points[triangles[:, 0]]
    )
    own = (triangles == vertex - first).any(axis=1)
    from_right = 1 if normals[own, 0].sum() > 0 else -1
    seen = from_right * normals[:, 0] > 0
    sulci = load_fsaverage_data(data_type="sulcal").data.parts[side]
    high = (values / values.max())[first : first + half][triangles[seen]].mean(axis=1)
    flat = (from_right * points[:, 1], points[:, 2], triangles[seen])
    ax.tripcolor(*flat, facecolors=-sulci[triangles[seen]].mean(axis=1), cmap="gray", vmin=-12, vmax=6)
    ax.tripcolor(*flat, facecolors=np.where(high > 0.5, high, np.nan), cmap="YlOrRd", vmin=0.3, vmax=1)
    ax.plot(flat[0][vertex - first], flat[1][vertex - first], "+", color=BLUE, ms=9)
    ax.set(aspect="equal", title=title)
    ax.axis("off")


def draw_errors(ax, vertices, errors, chance):
    """Draw the error of each place against its depth."""
    scalp, points = template_head().vertices["scalp"], electric().field.space.points[vertices]
    depth = cKDTree(scalp).query(points)[0]
    for (name, error), colour in zip(errors.items(), (BLUE, OBSERVED), strict=True):
        ax.plot(depth, error, "o", ms=3.5, color=colour, label=f"{name}: median {np.median(error):.0f} mm")
        ax.axhline(np.median(error), color=colour, lw=0.8)
    ax.axhline(chance, color=GREY, ls="--", lw=0.8)
    ax.text(
        1,
        chance,
        "a place at random",
        transform=ax.get_yaxis_transform(),
        color=GREY,
        ha="right",
        va="bottom",
        fontsize=7,
    )
    ax.set(
        xlabel="depth below the scalp (mm)",
        ylabel="localisation error (mm)",
        ylim=(0, 1.3 * max(chance, *map(max, errors.values()))),
    )
    ax.legend(loc="upper left")


if __name__ == "__main__":
    main()
