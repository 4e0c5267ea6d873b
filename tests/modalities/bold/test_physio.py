"""Heart and breathing in images, and physiological noise without a name."""

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.bold import physio, physio_noise
from fakeimaging.modalities.bold.heart_rate import rate_course
from fakeimaging.modalities.bold.physio import grey_term, harmonics, respiration_response, volume_course
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject

GRID = {"voxel_size": 7.0}
SEEDS = pytest.mark.parametrize("seed", [1, 2, 3])
STEADY = {
    "heart_rate": 70.2,
    "heart_rate_variability": 0.0,
    "breathing_rate": 12.0,
    "breathing_variability": 0.0,
    "motion": 0.0,
}


def scan(seed=1, duration=300.0, body=None, **parameters):
    run = fi.simulate_activity(tiny_subject(seed=seed), model="linear", duration=duration, physiology=body or {})
    return fi.acquire("bold", tiny_subject(seed=seed), constant_activity(run), **(GRID | parameters))


def series(recording, name, where):
    return np.stack([recording.layer(name).make(v)[where] for v in range(recording.clean.n_volumes)], axis=1)


def grey_of(recording, least=0.8):
    return tiny_subject().anatomy.tissue(recording.clean.grid).grey > least


def peak(course, tr):
    spectrum = np.abs(np.fft.rfft((course - course.mean()) * np.hanning(len(course)), 8 * len(course)))
    return np.fft.rfftfreq(8 * len(course), tr)[spectrum.argmax()]


@pytest.mark.parametrize(
    ("tr", "heart", "breath"), [(2.0, 0.17, 0.2), (0.5, 0.83, 0.2), (0.7, abs(1.17 - 1 / 0.7), 0.2)]
)
def test_heart_and_breathing_show_at_their_aliases(tr, heart, breath):
    made = scan(duration=120.0, body=STEADY, tr=tr)
    where = made.forward.baseline > 500
    for name, expected in (("cardiac", heart), ("respiratory", breath)):
        courses = series(made, name, where)
        strongest = courses[courses.std(axis=1).argmax()]
        assert peak(strongest, tr) == pytest.approx(expected, abs=0.01)


def test_each_slice_is_pulsed_at_its_own_time():
    made = scan(duration=40.0)
    grid, times = made.clean.grid, made.forward.context["slice_times"]
    body, recipe = made.forward.context["physiology"], made.recipe("cardiac")
    x, y = (size // 2 for size in grid.shape[:2])
    for z in (8, 9, 14):
        rest = made.forward.baseline[x, y, z]
        theta = physio.lags(grid.shape, recipe["phases"])[:, x, y, z]
        phase = body.cardiac_phase(made.clean.clock.times + times[z])
        wave = sum(np.sqrt(2 * share) * np.cos((k + 1) * phase - theta[k]) for k, share in enumerate(physio.HARMONICS))
        found = np.array([made.layer("cardiac").make(v)[x, y, z] for v in range(20)])
        assert rest > 0
        np.testing.assert_allclose(found / found.std(), wave / wave.std(), atol=1e-3)


@SEEDS
@pytest.mark.parametrize(("name", "percent"), [("cardiac", 0.6), ("respiratory", 0.9)])
def test_the_delivered_size_is_the_one_asked_for(seed, name, percent):
    made = scan(seed, duration=600.0, **{f"{name}_percent": percent})
    grey = tiny_subject(seed=seed).anatomy.tissue(made.clean.grid).grey
    where = (grey > 0) & (made.forward.baseline > 0)
    rest = np.average(made.forward.baseline[where] ** 2, weights=grey[where])
    found = np.sqrt(np.average(series(made, name, where).var(axis=1), weights=grey[where]) / rest)
    assert found == pytest.approx(percent / 100, rel=0.06)


def test_the_pulse_is_strong_in_fluid_and_beside_arteries():
    subject = fi.make_subject("01", seed=1)
    run = fi.simulate_activity(subject, model="linear", duration=20.0)
    made = fi.acquire("bold", subject, run)
    tissue, strength = subject.anatomy.tissue(made.clean.grid), physio.pulsation(made.forward)
    assert strength[tissue.csf > 0.9].mean() > 3 * strength[tissue.white > 0.9].mean()
    willis = apply_affine(np.linalg.inv(subject.anatomy.to_template @ made.clean.grid.affine), [0, 4, -22])
    assert strength[tuple(np.rint(willis).astype(int))] > 0.9


@SEEDS
def test_breathing_moves_edges_along_the_phase_encoding_axis_alone(seed):
    made = scan(seed, duration=20.0)
    rest, phases = made.forward.baseline, made.recipe("respiratory")["phases"]
    term = physio.respiratory_term(made.forward, 0.9, phases.tobytes())
    theta = physio.lags(rest.shape, phases)[0][term.box]
    amplitude = term.maps[0] * np.cos(theta) + term.maps[1] * np.sin(theta)
    candidates = [*np.gradient(rest), rest]
    parts = np.stack([part[term.box].ravel() for part in candidates], axis=1)
    x, y, z, everywhere = np.linalg.lstsq(parts, amplitude.ravel(), rcond=None)[0]
    assert y > 0
    assert everywhere > 0
    assert max(abs(x), abs(z)) < 1e-4 * y
    np.testing.assert_allclose(parts[:, [1, 3]] @ [y, everywhere], amplitude.ravel(), atol=1e-4 * amplitude.max())


def test_the_respiration_response_is_that_of_birn():
    t = np.arange(0, 50, 0.1)
    response = respiration_response(t)
    assert t[response.argmax()] == pytest.approx(3.1, abs=0.3)
    assert t[response.argmin()] == pytest.approx(15.4, abs=0.6)
    assert response.max() > 0 > response.min()


def test_a_deeper_breath_is_followed_by_its_response():
    body = short_activity(duration=300.0).physiology
    course = volume_course(body, np.arange(0.0, 300.0, 0.1))
    assert course.std() == pytest.approx(1.0, rel=0.02)
    volume = body.respiratory_volume(np.arange(0.0, 300.0, 0.1))
    lagged = [np.corrcoef(volume[:-lag], course[lag:])[0, 1] for lag in (30, 150)]
    assert lagged[0] > lagged[1]


def test_a_box_holds_what_is_not_zero_and_its_margin():
    image = np.zeros((9, 8, 7))
    assert physio.box_of(image) == (slice(0, 9), slice(0, 8), slice(0, 7))
    image[3, 1, 4] = image[5, 2, 6] = -1
    assert physio.box_of(image) == (slice(3, 6), slice(1, 3), slice(4, 7))
    assert physio.box_of(image, 2) == (slice(1, 8), slice(0, 5), slice(2, 7))


def test_harmonics_have_the_variance_of_their_share():
    terms = harmonics(np.linspace(0, 2 * np.pi, 1000, endpoint=False))
    assert terms.shape == (4, 1000)
    np.testing.assert_allclose(terms.var(axis=1), np.repeat(physio.HARMONICS, 2), rtol=1e-4)


def test_heart_breathing_and_noise_keep_their_bits_whatever_the_body_does_besides():
    one, other = scan(duration=20.0), scan(duration=20.0, body={"blink_rate": 40.0, "motion": 0.0})
    for name in ("physiological", "cardiac", "respiratory"):
        assert (one.layer(name).make(4) == other.layer(name).make(4)).all()
    faster = scan(duration=20.0, body={"heart_rate": 90.0})
    assert (one.layer("respiratory").make(4) == faster.layer("respiratory").make(4)).all()
    assert (one.layer("cardiac").make(4) != faster.layer("cardiac").make(4)).any()


@SEEDS
def test_noise_without_a_name_is_smooth_and_as_large_everywhere(seed):
    made = scan(seed, duration=600.0, voxel_size=4.0)
    field = physio_noise._field_of(made.forward, 2.0, 7.0, (0.01, 0.01, 0.01))
    for matrix in field.along:
        np.testing.assert_allclose((matrix**2).sum(axis=1), 1, rtol=1e-5)
    rng = np.random.default_rng(seed)
    fields = np.stack([physio_noise._spread(noise(rng, field.shape), field.along) for _ in range(200)])
    assert fields.std() == pytest.approx(1, rel=0.02)
    sd = 7.0 / np.sqrt(8 * np.log(2))
    for axis in (1, 2, 3):
        lagged = np.moveaxis(fields, axis, 0)
        found = (lagged[2:] * lagged[:-2]).mean() / (fields**2).mean()
        assert found == pytest.approx(np.exp(-((2 * 4.0) ** 2) / (4 * sd**2)), abs=0.04)


def noise(rng, shape):
    return rng.standard_normal(shape, dtype=np.float32)


def test_any_volume_can_be_had_alone():
    one, other = scan(duration=40.0), scan(duration=40.0)
    in_order = [one.layer("physiological").make(v) for v in range(20)]
    physio_noise._fresh.cache_clear()
    assert (other.layer("physiological").make(13) == in_order[13]).all()
    assert (in_order[13] != in_order[12]).any()


def test_each_slice_sees_the_heart_rate_of_its_own_time():
    made = scan(1, duration=60.0, slice_order="ascending")
    body, v = made.forward.context["physiology"], 12
    term, (box, rest) = made.layer("heart_rate").make(v), grey_term(made.forward, 0.0015)
    course = rate_course(body, made.clean.clock.times[v] + made.forward.context["slice_times"])[box[2]]
    assert np.ptp(course) > 0.05
    np.testing.assert_allclose(term[box], rest * course, atol=1e-4)
