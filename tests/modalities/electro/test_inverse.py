"""Sources are found again: exactly with the field that made the data, nearly with one that the analyst computes afresh.

Figures in brackets were measured on 1206 sources of the cortex, 64 electrodes or 306 coils, without noise.
"""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro.electrodes import native_to_captrak
from fakeimaging.modalities.electro.head_model import INWARD, inner_sphere, scalp_shells
from fakeimaging.modalities.electro.lead_field import electric, to_native
from fakeimaging.modalities.electro.montages import montage_of
from fakeimaging.modalities.electro.sarvas import coil_field
from fakeimaging.modalities.electro.sphere import potential, within
from fakeimaging.structure.head import template_head
from fakeimaging.testing.fixtures import short_activity, tiny_subject
from tests.reference.inverses import centring, dspm, eloreta, minimum_norm, peaks, sloreta

EXACT = {"sLORETA": sloreta, "eLORETA": eloreta}
LAYERS = {"inner_skull": "inner_skull", "outer_skull": "outer_skull", "outer_skin": "scalp"}
CONDUCTIVITIES = (0.3, 0.006, 0.3)
NOISE = {"MEGMAG": 20e-15, "MEGGRADPLANAR": 5e-13}
"""T and T/m: mne's own guess, by which it whitens."""
MODALITIES = ["eeg", "meg"]
each = pytest.mark.parametrize("modality", MODALITIES)
each_method = pytest.mark.parametrize("method", EXACT.values(), ids=EXACT)


@lru_cache(maxsize=8)
def grid(step, first=0):
    """Vertices of the cortex, one in ``step``."""
    return np.flatnonzero(electric().scalp.space.cortex)[first::step]


@lru_cache(maxsize=2)
def recording(modality):
    return fi.acquire(modality, tiny_subject(), short_activity(duration=2.0))


def whitened(gain, modality):
    """Potentials against the mean of the electrodes, fields over the noise of their coils."""
    if modality == "eeg":
        return centring(len(gain)) @ gain
    kinds = [channel.kind for channel in recording("meg").clean.channels][: len(gain)]
    return gain / np.array([NOISE[kind] for kind in kinds])[:, None]


@lru_cache(maxsize=2)
def gains(modality):
    """Of every vertex per Am."""
    return whitened(recording(modality).to_mne_forward()["sol"]["data"], modality)


@lru_cache(maxsize=2)
def of_a_sphere(modality, step):
    """The gains that an analyst with spheres has at one vertex in ``step``; Sarvas' for MEG."""
    field = recording(modality).forward.context["field"]
    space = replace(
        field.space,
        points=field.space.points[grid(step)],
        normals=field.space.normals[grid(step)],
        deep=np.zeros((0, 3)),
    )
    if modality == "eeg":
        electrodes = montage_of("biosemi64").points
        shells = scalp_shells()
        inside = within(space.places, shells.centre, INWARD * shells.radii[0])
        return whitened(potential(shells, electrodes, inside, space.directions), modality)
    sensors, (centre, radius) = recording("meg").forward.context["sensors"], inner_sphere()
    points, directions = sensors.coils_in(tiny_subject().anatomy.to_template)
    inside = within(space.places, centre, INWARD * radius)
    return whitened(
        coil_field(centre, points, directions, sensors.owner, inside, space.directions, n_coils=306), modality
    )


def noise(modality):
    """Covariance of the noise in whitened channels."""
    return centring(64) if modality == "eeg" else np.eye(306)


def error(found, true):
    """Distance in template mm between vertices."""
    points = electric().scalp.space.points
    return np.linalg.norm(points[found] - points[true], axis=1)


@each
@pytest.mark.parametrize("ridge", [1e-4, 1 / 9, 10.0])
def test_sloreta_finds_every_source_where_it_is(modality, ridge):
    """For any regularisation (Pascual-Marqui 2002); 2412 sources."""
    gain = gains(modality)[:, grid(8)]
    np.testing.assert_array_equal(peaks(sloreta(gain, ridge, noise(modality)), gain), np.arange(gain.shape[1]))


@each
def test_eloreta_finds_every_source_where_it_is(modality):
    gain = gains(modality)[:, grid(14)]
    np.testing.assert_array_equal(peaks(eloreta(gain, 1 / 9, noise(modality)), gain), np.arange(gain.shape[1]))


@each
def test_minimum_norm_and_dspm_do_not(modality):
    """That zero error is no matter of course [means: EEG 24 and 28 mm, MEG 15 and 11 mm]."""
    vertices = grid(16)
    gain = gains(modality)[:, vertices]
    for method in (minimum_norm, dspm):
        away = error(vertices[peaks(method(gain, 1 / 9, noise(modality)), gain)], vertices)
        assert 8 < away.mean() < 35
        assert (away == 0).mean() < 0.4


@each
def test_a_wrong_sign_or_order_of_channels_is_noticed(modality):
    """One channel in ten turned, or thirty in the opposite order: one source in ten at least is lost."""
    gain = gains(modality)[:, grid(16)]
    operator = sloreta(gain, 1 / 9, noise(modality))
    turned, swapped = gain.copy(), gain.copy()
    turned[::10] *= -1
    swapped[10:40] = gain[10:40][::-1]
    for wrong in (turned, swapped):
        assert (peaks(operator, wrong) == np.arange(gain.shape[1])).mean() < 0.9


@each
@each_method
def test_an_analyst_with_a_sphere_is_some_millimetres_off(modality, method):
    """The inverse crime hides what a wrong head costs [misplaced: none with the field itself; with spheres 28 % of the sources
    in EEG, mean 3.5 mm, and 15 % in MEG, mean 1.7 mm]."""
    vertices = grid(16)
    made, assumed = gains(modality)[:, vertices], of_a_sphere(modality, 16)
    away = error(vertices[peaks(method(assumed, 1 / 9, noise(modality)), made)], vertices)
    assert 0.8 < away.mean() < 6.0
    assert 0.5 < (away == 0).mean() < 0.92


@each
def test_sources_between_those_of_the_analyst_are_found_nearby(modality):
    """Nobody's grid holds the true source [median 6.6 and 7.2 mm at one vertex in 8 or 16, which are 5 to 8 mm apart]."""
    vertices, true = grid(16), grid(32, 8)
    operator = sloreta(gains(modality)[:, vertices], 1 / 9, noise(modality))
    away = error(vertices[peaks(operator, gains(modality)[:, true])], true)
    assert 3.0 < np.median(away) < 10.0
    assert (away > 0).all()


def solved(subject, folder):
    """A boundary-element model of 642 nodes a layer that mne makes of a subject's own surfaces; its frame is native space."""
    import mne

    head = template_head()
    (folder / "01" / "bem").mkdir(parents=True)
    for name, ours in LAYERS.items():
        places = apply_affine(to_native(subject), head.vertices[ours])
        mne.write_surface(folder / "01" / "bem" / f"{name}.surf", places, head.triangles)
    model = mne.make_bem_model("01", ico=3, conductivity=CONDUCTIVITIES, subjects_dir=folder, verbose="error")
    return mne.make_bem_solution(model, verbose="error")


def afresh(recording, vertices, bem):
    """The gain of some vertices that mne computes for a recording's sensors, of which it knows what `to_mne` says."""
    import mne

    to_head = native_to_captrak(recording.forward.context["subject"])
    to_head[:3, 3] *= 1e-3
    sources = recording.to_mne_forward()["src"]
    points, normals = (np.concatenate([source[key] for source in sources])[vertices] for key in ("rr", "nn"))
    there = {"rr": apply_affine(np.linalg.inv(to_head), points), "nn": normals @ to_head[:3, :3]}
    found = mne.make_forward_solution(
        recording.to_mne().info,
        mne.transforms.Transform("mri", "head", to_head),
        mne.setup_volume_source_space(pos=there, verbose="error"),
        bem,
        mindist=0.0,
        verbose="error",
    )
    assert found["nsource"] == len(vertices)
    return found, np.einsum("csk,sk->cs", found["sol"]["data"].reshape(-1, len(vertices), 3), normals)


def bounds(modality, assumed, made, vertices, between, *, exact, mean):
    """Check what an inverse with the analyst's field makes of data of ours; both at every vertex of the analyst's grid."""
    for method in EXACT.values():
        operator = method(assumed, 1 / 9, noise(modality))
        on, off = (error(vertices[peaks(operator, made[:, true])], true) for true in (vertices, between))
        assert (on == 0).mean() > exact
        assert np.median(on) == 0
        assert on.mean() < mean
        assert np.median(off) < 9.0
    crime, honest = (
        np.median(error(vertices[peaks(dspm(gain, 1 / 9, noise(modality)), made[:, vertices])], vertices))
        for gain in (made[:, vertices], assumed)
    )
    assert honest < 1.15 * crime


@pytest.mark.slow
def test_eeg_is_inverted_with_a_field_that_mne_computes_afresh(tmp_path):
    """On the subject's head, of its own pose and size [99 % of 2412 sources exact, mean 0.03 mm; off the grid median 6.8 mm]."""
    vertices = grid(8)
    _, gain = afresh(recording("eeg"), vertices, solved(tiny_subject(), Path(tmp_path)))
    assumed, made = whitened(gain, "eeg"), gains("eeg")
    size = np.linalg.norm(assumed, axis=0) / np.linalg.norm(made[:, vertices], axis=0)
    assert 0.9 < np.median(size) < 1.0  # 642 nodes a layer against the shipped field's 2562
    bounds("eeg", assumed, made, vertices, grid(8, 4), exact=0.97, mean=0.3)


@pytest.mark.slow
def test_meg_is_inverted_with_a_field_that_mne_computes_afresh(tmp_path):
    """With the coils where the file says that the helmet is [96 % of 1206 sources exact, mean 0.4 mm; of the inner skull alone, as
    many compute it, 83 % and 2.4 mm]."""
    vertices = grid(16)
    _, gain = afresh(recording("meg"), vertices, solved(tiny_subject(), Path(tmp_path)))
    assumed, made = whitened(gain, "meg"), gains("meg")
    size = np.linalg.norm(assumed, axis=0) / np.linalg.norm(made[:, vertices], axis=0)
    assert 0.95 < np.median(size) < 1.02
    bounds("meg", assumed, made, vertices, grid(16, 8), exact=0.93, mean=0.8)
