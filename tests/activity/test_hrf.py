import warnings

import numpy as np
import pytest
from nilearn.glm.first_level import hemodynamic_models as nilearn

from fakeimaging.activity import hrf
from fakeimaging.activity.hemodynamics import Hemodynamics, classic_change, neural_drive, respond
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError, UnknownNameError
from fakeimaging.testing.fixtures import short_activity

FINE = np.arange(0.0, 32.0, 0.01)
NILEARN = {
    "spm": nilearn.spm_hrf,
    "glover": nilearn.glover_hrf,
    "spm derivative": nilearn.spm_time_derivative,
    "glover derivative": nilearn.glover_time_derivative,
}
RUNS = [(2.0, 200, 0.0), (2.0, 150, 1.0), (0.72, 300, 0.36), (2.5, 40, 0.0), (1.37, 77, 0.3)]


def events(seconds, seed=1):
    """Onsets before, within and after the run, durations of 0 and more, any modulation; two events overlap."""
    rng = np.random.default_rng(seed)
    onsets = np.concatenate([[-30.0, -3.0, 10.0, 10.0], rng.uniform(0, seconds + 5, 10)])
    return onsets, rng.choice([0.0, 0.5, 1.0, 20.0], 14), rng.standard_normal(14)


# Peak, trough, trough over peak, width at half height, first zero crossing: of nilearn's own responses.
@pytest.mark.parametrize(
    ("name", "expected"), [("spm", (5.0, 15.7, -0.089, 5.25, 12.1)), ("glover", (5.0, 12.3, -0.26, 4.5, 9.4))]
)
def test_canonical_responses(name, expected):
    h = hrf.response(name, FINE)
    above = FINE[h > h.max() / 2]
    crossing = FINE[(FINE > 5) & (h < 0)][0]
    found = (FINE[h.argmax()], FINE[h.argmin()], h.min() / h.max(), above[-1] - above[0], crossing)
    assert found == pytest.approx(expected, rel=0.01)
    assert h.sum() * 0.01 == pytest.approx(1, abs=2e-4)


@pytest.mark.parametrize("name", hrf.NAMES)
@pytest.mark.parametrize("tr", [0.72, 2.0])
def test_kernels_are_those_of_nilearn(name, tr):
    np.testing.assert_allclose(hrf._kernel(name, tr, 50), NILEARN[name](tr), atol=1e-13)


def test_a_response_is_the_limit_of_the_kernels():
    step = 0.01
    kernel = hrf._kernel("glover", step, 1) / step
    np.testing.assert_allclose(hrf.response("glover", step * np.arange(1500)), kernel[1:1501], atol=2e-3)


@pytest.mark.parametrize("name", ["spm", "glover"])
@pytest.mark.parametrize(("tr", "n", "start"), RUNS)
def test_a_regressor_is_that_of_nilearn(name, tr, n, start):
    frames = start + tr * np.arange(n)
    condition = events(tr * n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an event before the grid, which nilearn puts at its start
        theirs = nilearn.compute_regressor(condition, name, frames)[0][:, 0]
    assert np.abs(theirs).max() > 0.1
    np.testing.assert_allclose(hrf.regressor(name, *condition, frames), theirs, atol=1e-10)


@pytest.mark.parametrize("name", ["spm", "glover"])
def test_regressors_with_derivatives_span_what_nilearn_fits(name):
    frames, condition = 2.0 * np.arange(100), ([10.0, 50.0, 120.0], [1.0, 0.0, 12.0], [1.0, 2.0, -1.0])
    theirs = nilearn.compute_regressor(condition, f"{name} + derivative", frames)[0]
    own = np.stack([hrf.regressor(part, *condition, frames) for part in (name, f"{name} derivative")], axis=1)
    own[:, 1] -= own[:, 0] * (own[:, 0] @ own[:, 1]) / (own[:, 0] @ own[:, 0])
    np.testing.assert_allclose(own, theirs, atol=1e-10)


def test_a_slice_sees_the_same_course_later():
    frames, condition = 2.0 * np.arange(100), ([10.0, 50.0], [1.0, 8.0], [1.0, 2.0])
    course = hrf.expected_course("spm", *condition, frames)
    assert (course.at(frames) == hrf.regressor("spm", *condition, frames)).all()
    earlier = ([9.3, 49.3], [1.0, 8.0], [1.0, 2.0])
    # One point of the grid is 0.04 s: the shifted events land on another one, at most half a step of the course away.
    np.testing.assert_allclose(course.at(frames + 0.7), hrf.regressor("spm", *earlier, frames), atol=0.04 * 2.0 * 0.25)


def test_a_regressor_is_the_integral_it_stands_for():
    frames = 1.0 * np.arange(60)
    found = hrf.regressor("glover", [10.0], [5.0], [2.0], frames)
    t = frames[:, None] - (10 + (np.arange(500) + 0.5) / 100)
    # nilearn sums a response of sum 1 over a grid of 0.02 s: a drive that stays on gives 1.
    exact = 2.0 * hrf.response("glover", t).sum(axis=1) / 100
    np.testing.assert_allclose(found, exact, atol=0.03)


def test_modulation_scales_and_conditions_add():
    frames = 2.0 * np.arange(50)
    one, two = (hrf.regressor("spm", [t], [2.0], [m], frames) for t, m in ((10.0, 1.0), (30.0, 3.0)))
    np.testing.assert_allclose(hrf.regressor("spm", [10, 30], [2, 2], [1, 3], frames), one + two, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1.0], [1.0], [1.0, 2.0], [0.0, 2.0]), "have 1, 1 and 2 entries"),
        (([1.0], [-1.0], [1.0], [0.0, 2.0]), "durations at least 0"),
        (([1.0], [1.0], [1.0], [0.0]), "two or more times that rise"),
        (([1.0], [1.0], [1.0], [2.0, 0.0]), "two or more times that rise"),
    ],
)
def test_events_and_frames_that_do_not_fit_are_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        hrf.regressor("spm", *arguments)


def test_an_unknown_response_is_named():
    with pytest.raises(UnknownNameError, match="did you mean 'glover'"):
        hrf.response("glove", FINE)


@pytest.mark.parametrize(("preset", "peak"), [("friston2003", (2.8, 3.4)), ("spm12", (4.0, 4.6))])
def test_the_balloons_response_is_that_of_the_model_to_a_weak_drive(preset, peak):
    p, clock = Hemodynamics(preset=preset), Clock(0.0, 0.02, 1600)
    h = hrf.balloon_response(p, FINE)
    assert peak[0] < FINE[h.argmax()] < peak[1]
    assert h.sum() * 0.01 == pytest.approx(1, abs=0.01)
    weak = np.where(clock.times < 1.0, 0.02, 0.0)[:, None]
    flow = respond(lambda part: weak[part], clock, p)
    change = classic_change(flow)[:, 0]
    spread = hrf.balloon_response(p, flow.clock.times[:, None] - np.linspace(0.005, 0.995, 100)).mean(axis=1)
    expected = spread * change.sum() * flow.clock.step
    assert np.abs(change - expected).max() < 0.02 * change.max()


def test_a_drive_that_stays_gives_as_much():
    clock = Clock(0.0, 0.05, 1600)
    found = hrf.convolved(np.full((1600, 2), 0.7), clock, "spm")
    np.testing.assert_allclose(found[-1], 0.7, atol=1e-3)
    assert (np.abs(found[0]) < 1e-12).all()


def test_convolution_is_the_plain_sum():
    clock, rng = Clock(-20.0, 0.05, 900), np.random.default_rng(2)
    course = rng.standard_normal((900, 3))
    kernel = 0.05 * hrf.response("glover", 0.05 * np.arange(640))
    found = hrf.convolved(course, clock, "glover")
    for i in range(3):
        np.testing.assert_allclose(found[:, i], np.convolve(course[:, i], kernel)[:900], atol=1e-12)


def test_the_canonical_response_of_a_run_is_linear_and_on_the_clock_of_blood_flow(monkeypatch):
    activity = short_activity()
    tap = activity.tap("rate")
    clock, found = hrf.canonical_response(activity, "spm")
    assert clock == respond(neural_drive(activity, 0.3), tap.clock, Hemodynamics()).clock
    assert found.shape == (clock.n, 10)
    drive = neural_drive(activity, 1.0)
    doubled = hrf.linear_response(lambda part: 2 * drive(part), tap.clock, "spm")[1]
    np.testing.assert_allclose(doubled, 2 * found, rtol=1e-5, atol=1e-7)
    monkeypatch.setattr("fakeimaging.activity.hrf.BLOCK", 333)
    assert (hrf.canonical_response(activity, "spm")[1] == found).all()
