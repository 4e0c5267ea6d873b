"""How each noise depends on the echo time, how large it is there, and what the heart's rate does."""

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.modalities.bold import BoldParameters
from fakeimaging.modalities.bold.heart_rate import cardiac_response, heart_rate, rate_course
from fakeimaging.modalities.bold.physio import respiratory_term, volume_course
from fakeimaging.modalities.bold.shares import echo_ratio
from fakeimaging.testing.fixtures import constant_activity, tiny_subject
from tests.modalities.bold.staging import all_but

GRID = {"voxel_size": 7.0}
TIMES = (0.015, 0.03, 0.045)
SEEDS = pytest.mark.parametrize("seed", [1, 2, 3])


def run(seed=1, duration=120.0, **body):
    made = fi.simulate_activity(tiny_subject(seed=seed), model="linear", duration=duration, physiology=body)
    return constant_activity(made)


def scan(seed=1, activity=None, **parameters):
    return fi.acquire("bold", tiny_subject(seed=seed), activity or run(seed), **(GRID | parameters))


def relative(echo, name, volumes=(0, 5, 9)):
    """A term over the image at rest, in pure grey matter: tissues of a voxel decay at rates of their own."""
    pure = tiny_subject().anatomy.tissue(echo.clean.grid).grey > 0.999
    return np.stack([echo.layer(name).make(v)[pure] / echo.forward.baseline[pure] for v in volumes])


@pytest.mark.parametrize(
    ("name", "grows", "parameters"),
    [
        ("physiological", True, {"lambda_bold": 1.0}),
        ("physiological", False, {"lambda_bold": 0.0}),
        ("drift", False, {}),
        ("cardiac", False, {}),
        ("heart_rate", True, {}),
    ],
)
def test_bold_like_noise_is_in_proportion_to_the_echo_time_and_the_rest_is_not(name, grows, parameters):
    echoes = scan(echo_times=TIMES, **parameters).parts
    terms = [relative(echo, name) for echo in echoes]
    assert terms[1].std() > 1e-4
    for term, time in zip(terms, TIMES, strict=True):
        slope = time / 0.03 if grows else 1.0
        np.testing.assert_allclose(term, slope * terms[1], atol=2e-3 * np.abs(terms[1]).max())


def test_of_breathing_only_the_volume_breathed_is_bold_like():
    echoes = scan(echo_times=TIMES).parts
    phases = echoes[0].recipe("respiratory")["phases"].tobytes()
    terms = [respiratory_term(echo.forward, 0.5, phases) for echo in echoes]
    for term, echo, ratio in zip(terms, echoes, (0.5, 1.0, 1.5), strict=True):
        box = term.box
        pure = tiny_subject().anatomy.tissue(echo.clean.grid).grey[box] > 0.999
        rest = echo.forward.baseline[box]
        size = (term.maps[-1] / np.where(rest > 0, rest, 1))[pure].mean()
        first = (terms[1].maps[-1] / np.where(rest > 0, echoes[1].forward.baseline[box], 1))[pure].mean()
        assert size == pytest.approx(ratio * first, rel=1e-4)


@pytest.mark.parametrize(("seed", "share"), [(1, 0.3), (2, 0.8), (3, 0.5)])
def test_physiological_noise_follows_krueger_and_glover_at_every_echo(seed, share):
    activity = run(seed, duration=240.0)
    many = {"echo_times": TIMES, "lambda_bold": share, "lambda_grey": 0.01}
    echoes = fi.acquire("bold", tiny_subject(seed=seed), activity, **GRID, **many).parts
    grey = tiny_subject(seed=seed).anatomy.tissue(echoes[0].clean.grid).grey > 0.99
    found = []
    for echo in echoes:
        noise = np.stack([echo.layer("physiological").make(v)[grey] for v in range(0, 120, 2)])
        found.append(noise.std() / echo.forward.baseline[grey].mean())
    wanted = [0.01 * np.sqrt(share * (time / 0.03) ** 2 + 1 - share) for time in TIMES]
    # 60 volumes, hardly correlated, at about 60 independent places: a standard error of 1.2 %.
    np.testing.assert_allclose(found, wanted, rtol=0.04)


def test_a_spin_echo_has_the_share_of_bold_like_noise_that_r2_has_of_r2_star():
    assert echo_ratio(BoldParameters()) == 1
    assert echo_ratio(BoldParameters(echo_time=0.045)) == pytest.approx(1.5)
    assert echo_ratio(BoldParameters(sequence="spin_echo", echo_time=0.06)) == pytest.approx(2 / 3.52)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "tr"), [(1, 0.5), (2, 0.72), (3, 2.0)])
def test_noise_without_a_name_remembers_within_three_standard_errors(seed, tr):
    made = scan(seed, run(seed, duration=240 * tr), tr=tr, voxel_size=8.0)
    tissue, n_parts = tiny_subject(seed=seed).anatomy.tissue(made.clean.grid), 20
    for name, tau in {"grey": 2.0, "white": 1.0, "csf": 1.0}.items():
        where = getattr(tissue, name) > 0.95
        if where.sum() < 5:
            continue
        noise = np.stack([made.layer("physiological").make(v)[where] for v in range(240)]).astype(float)
        lagged, power = ((noise[1:] * x).mean(axis=1) for x in (noise[:-1], noise[1:]))
        parts = np.array([(a.mean(), b.mean()) for a, b in
                          zip(np.array_split(lagged, n_parts), np.array_split(power, n_parts), strict=True)])  # fmt: skip
        found, wanted = lagged.mean() / power.mean(), np.exp(-tr / tau)
        error = (parts[:, 0] - found * parts[:, 1]).std(ddof=1) / np.sqrt(n_parts) / power.mean()
        assert error < 0.03
        assert found == pytest.approx(wanted, abs=3 * error + 1e-3)


@pytest.mark.parametrize(("seed", "snr"), [(1, 20.0), (2, 50.0), (3, 100.0), (1, 200.0), (2, 400.0)])
def test_tsnr_of_each_tissue_is_that_of_the_model(seed, snr):
    lambdas = {f"lambda_{name}": 0.0107 for name in ("grey", "white", "csf")}
    off = all_but("physiological", "thermal", "magnitude")
    made = scan(seed, run(seed, duration=400.0), snr=snr, off=off, susceptibility=0.0, **lambdas)
    tissue, signals = tiny_subject(seed=seed).anatomy.tissue(made.clean.grid), made.forward.context["signals"]
    images = made.observed.to_array()
    table = {20.0: 19.6, 50.0: 44.1, 100.0: 68.3, 200.0: 84.7, 400.0: 91.0}
    for name in ("grey", "white"):
        series = images[getattr(tissue, name) > 0.98].astype(float)
        if len(series) < 5:
            continue
        found = series.mean() / np.sqrt(((series - series.mean(axis=1, keepdims=True).mean()) ** 2).mean())
        own = snr * signals[name] / signals["grey"]
        wanted = own / np.sqrt(1 + 0.0107**2 * own**2)
        assert found == pytest.approx(wanted, rel=0.05)
        if name == "grey":
            assert wanted == pytest.approx(table[snr], abs=0.06)


def test_the_response_to_heart_rate_is_that_of_chang():
    t = np.arange(0, 40, 0.01)
    response = cardiac_response(t)
    assert t[response.argmax()] == pytest.approx(2.7 * 1.6, abs=0.25)
    assert t[response.argmin()] == pytest.approx(12.4, abs=0.5)
    assert response.max() == pytest.approx(2.0, abs=0.1)
    assert np.abs(response[-1]) < 1e-3


def test_the_rate_is_counted_from_beats():
    body = run(heart_rate=66.0, heart_rate_variability=0.0).physiology
    np.testing.assert_allclose(heart_rate(body, np.arange(-20.0, 120.0, 0.5)), 66, rtol=1e-6)
    assert (rate_course(body, np.arange(0.0, 100.0)) == 0).all()
    lively = run(heart_rate_variability=0.1).physiology
    at = 50.0
    inside = lively.beats[(lively.beats > at - 3) & (lively.beats < at + 3)]
    assert heart_rate(lively, [at])[0] == pytest.approx(60 / np.diff(inside).mean(), rel=0.05)


def test_a_faster_heart_is_followed_by_its_response():
    body = run(duration=600.0, heart_rate_variability=0.1).physiology
    times = np.arange(0.0, 600.0, 0.1)
    course, rate = rate_course(body, times), heart_rate(body, times)
    assert course.std() == pytest.approx(1, rel=1e-2)
    rate -= rate.mean()
    lags = np.arange(0, 40.0, 0.1)
    # Least squares finds the response again in what it made.
    shifted = np.stack([np.roll(rate, int(lag * 10)) for lag in lags[::5]], axis=1)[1000:]
    fit = np.linalg.lstsq(shifted, course[1000:], rcond=1e-4)[0]
    assert np.corrcoef(fit, cardiac_response(lags[::5]))[0, 1] > 0.9


@SEEDS
def test_the_size_of_the_response_is_the_one_asked_for(seed):
    made = scan(seed, run(seed, duration=300.0), heart_rate_percent=0.4)
    grey = tiny_subject(seed=seed).anatomy.tissue(made.clean.grid).grey
    where = (grey > 0) & (made.forward.baseline > 0)
    term = np.stack([made.layer("heart_rate").make(v)[where] for v in range(made.clean.n_volumes)], axis=1)
    rest = np.average(made.forward.baseline[where] ** 2, weights=grey[where])
    size = np.sqrt(np.average(term.var(axis=1), weights=grey[where]) / rest)
    assert size == pytest.approx(0.004, rel=0.05)
    assert (term[grey[where] == 0] == 0).all()


def test_breathing_that_never_changes_changes_nothing():
    body = run().physiology
    even = np.zeros(10)
    assert np.abs(volume_course(body, np.arange(10.0))).max() > 0
    from fakeimaging.modalities.bold.physio import STEP, responded

    clock = np.arange(0, 20, STEP)
    assert (responded(np.full(len(clock), 1e-12), cardiac_response(clock), clock, np.arange(10.0)) == even).all()
