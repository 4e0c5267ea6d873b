"""Series without anatomy: every term is what was asked for, and a model that is right finds the truth."""

import math
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from fakeimaging.core.errors import InputError, ParameterError, UnknownNameError
from fakeimaging.modalities.phantom import TERMS, SeriesParameters, network_correlation, phantom, simulate_series, terms
from fakeimaging.modalities.phantom.series import WORKING
from fakeimaging.structure.connectome import Connectome

EVENTS = [(20.0 * i + 7.3, 2.5, "ab"[i % 2], 1.0 + 0.5 * (i % 3)) for i in range(18)]
SEEDS = [31, 32, 33]


def only(*names):
    return [name for name in TERMS if name not in names]


def peak_frequency(series, tr):
    spectrum = np.abs(np.fft.rfft(series - series.mean()))
    return np.fft.rfftfreq(len(series), tr)[spectrum.argmax()]


def lag1(series):
    return (series[:, 1:] * series[:, :-1]).mean() / (series**2).mean()


@pytest.mark.parametrize("response", ["spm", "glover"])
@pytest.mark.parametrize("slice_time_ref", [0.0, 0.5])
def test_without_noise_nilearns_model_finds_the_betas_exactly(response, slice_time_ref):
    from nilearn.glm.first_level import make_first_level_design_matrix

    made = simulate_series(
        3, events=EVENTS, effects={"a": [1.0, 2.0, 3.0], "b": -1.0}, off=TERMS, seed=1, response=response,
        slice_time_ref=slice_time_ref,
    )  # fmt: skip
    design = make_first_level_design_matrix(made.times, made.events, hrf_model=response, drift_model=None)
    found = np.linalg.pinv(design.to_numpy()) @ made.observed.T
    np.testing.assert_allclose(found[:2], made.betas, rtol=1e-6)
    np.testing.assert_allclose(made.betas, [[10, 20, 30], [-10, -10, -10]])
    np.testing.assert_array_equal(made.observed, made.clean)
    np.testing.assert_allclose(made.times, 2.0 * (np.arange(200) + slice_time_ref))


@pytest.mark.parametrize("noise", ["gaussian", "rician"])
def test_terms_sum_and_leaving_one_out_leaves_the_bits_of_the_others(noise):
    options = {"events": EVENTS, "connectivity": np.eye(2), "noise": noise, "seed": 5}
    whole = simulate_series(2, **options)
    np.testing.assert_allclose(whole.observed, whole.clean + sum(whole.terms.values()), rtol=1e-12)
    assert list(whole.terms) == [name for name in TERMS if noise != "gaussian" or name != "magnitude"]
    for name in whole.terms:
        part = simulate_series(2, off=name, **options)
        np.testing.assert_array_equal(part.clean, whole.clean)
        for other in set(part.terms) - {"magnitude"}:
            np.testing.assert_array_equal(part.terms[other], whole.terms[other])
        assert name not in part.terms


@pytest.mark.parametrize("seed", SEEDS)
def test_each_term_has_the_size_asked_for(seed):
    n, n_volumes = 2000, 200
    made = simulate_series(n, n_volumes=n_volumes, seed=seed, cardiac_percent=0.4, heart_rate_variability=0.1)
    p, sizes = made.parameters, {name: term.std() / made.parameters.baseline for name, term in made.terms.items()}
    free = n * n_volumes
    assert abs(sizes["thermal"] * p.snr - 1) < 4 / math.sqrt(2 * free)
    rho = p.coefficients[0]
    correlated = (1 + rho**2) / (1 - rho**2)
    assert abs(sizes["autoregressive"] / p.lambda_grey - 1) < 4 * math.sqrt(correlated / (2 * free))
    # Six cosines a series, each with a coefficient of its own.
    assert abs(100 * sizes["drift"] / p.drift_percent - 1) < 4 / math.sqrt(2 * 6 * n)
    for name in ("cardiac", "respiratory"):
        assert 100 * sizes[name] / getattr(p, f"{name}_percent") == pytest.approx(1, abs=0.03)
    # In the order that random numbers are drawn in, not in that of the arrays.
    drawn = [made.terms["thermal"].ravel(), made.terms["autoregressive"].T.ravel()]
    assert abs(np.corrcoef(drawn)[0, 1]) < 4 / math.sqrt(free)
    tsnr = made.observed.mean(axis=1) / made.observed.std(axis=1)
    assert np.mean(tsnr**-2.0) ** -0.5 == pytest.approx(p.tsnr, rel=0.02)


@pytest.mark.parametrize(
    ("snr", "tsnr"), [(20, 19.6), (50, 44.1), (100, 68.3), (200, 84.7), (400, 91.0)]
)  # Krueger and Glover (2001) with lambda 0.0107
def test_temporal_snr_follows_krueger_and_glover(snr, tsnr):
    made = simulate_series(
        500, n_volumes=400, snr=float(snr), lambda_grey=0.0107, off=only("thermal", "autoregressive"), seed=snr
    )
    quiet = {"drift_percent": 0.0, "cardiac_percent": 0.0, "respiratory_percent": 0.0}
    assert SeriesParameters(snr=float(snr), lambda_grey=0.0107, **quiet).tsnr == pytest.approx(tsnr, abs=0.05)
    delivered = made.observed.mean() / np.sqrt(made.observed.var(axis=1, ddof=1).mean())
    assert delivered == pytest.approx(tsnr, rel=0.01)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("tr", "tau"), [(2.0, 2.0), (0.72, 2.0), (3.0, 1.0)])
def test_the_memory_of_the_noise_is_a_time(seed, tr, tau):
    n, n_volumes = 400, 400
    made = simulate_series(n, n_volumes=n_volumes, tr=tr, ar_time=tau, off=only("autoregressive"), seed=seed)
    rho, series = math.exp(-tr / tau), made.terms["autoregressive"]
    assert made.lag1 == pytest.approx(rho)
    assert abs(lag1(series) - rho) < 3.5 * math.sqrt((1 - rho**2) / (n * n_volumes)) + 2 / (n * n_volumes)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_noise_is_white_once_whitened_and_stationary_from_its_first_volume(seed):
    made = simulate_series(4000, n_volumes=64, ar=(0.5, 0.2), off=only("autoregressive"), seed=seed)
    series = made.terms["autoregressive"] / (made.parameters.lambda_grey * made.parameters.baseline)
    np.testing.assert_allclose(series.var(axis=0), 1, atol=4.5 * math.sqrt(2 / 4000))
    white = series[:, 2:] - 0.5 * series[:, 1:-1] - 0.2 * series[:, :-2]
    power = (np.abs(np.fft.rfft(white, axis=1)) ** 2).mean(axis=0)[1:-1]
    np.testing.assert_allclose(power / power.mean(), 1, atol=4.5 / math.sqrt(4000))
    rho = terms.autocorrelations((0.5, 0.2), 2)
    assert rho[1] == pytest.approx(0.5 / 0.8)
    assert rho[2] == pytest.approx(0.5 * rho[1] + 0.2)
    assert np.corrcoef(series[:, 10], series[:, 12])[0, 1] == pytest.approx(rho[2], abs=4 / math.sqrt(4000))


@pytest.mark.parametrize(
    ("tr", "cardiac", "respiratory"), [(2.0, 0.17, 0.2), (0.5, 0.83, 0.2)]
)  # 1.17 Hz folds to 0.17 at 2 s, to 0.83 at 0.5 s
def test_pulse_and_breathing_are_seen_at_their_aliases(tr, cardiac, respiratory):
    made = simulate_series(
        tr=tr, n_volumes=int(600 / tr), heart_rate=70.2, breathing_rate=12.0, heart_rate_variability=0.0,
        breathing_variability=0.0, seed=3,
    )  # fmt: skip
    assert peak_frequency(made.terms["cardiac"][0], tr) == pytest.approx(cardiac, abs=0.003)
    assert peak_frequency(made.terms["respiratory"][0], tr) == pytest.approx(respiratory, abs=0.003)


def test_drift_is_slower_than_the_usual_filter():
    from scipy.fft import dct

    made = simulate_series(50, n_volumes=300, seed=3)
    power = dct(made.terms["drift"], axis=1, norm="ortho") ** 2
    # Cosine k has k half periods in 600 s: 9 of them are slower than 1/128 Hz.
    assert power[:, 10:].max() < 1e-15 * power.max()
    assert (power[:, 1:10].mean(axis=0) > 0).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("coils", [1, 4, 16])
def test_magnitude_of_air_and_of_tissue_has_its_moments(seed, coils):
    # Constantinides et al. 1997: mean of air, and its mean square 2 L sigma^2; Gudbjartsson and Patz 1995: bias in tissue.
    p = SeriesParameters(noise="chi", coils=coils)
    rng, n, sigma = np.random.Generator(np.random.SFC64(seed)), 200_000, 3.0
    real = sigma * rng.standard_normal(n)
    air = real + terms.magnitude(real, sigma, p, rng=rng)
    mean = sigma * math.sqrt(2) * math.exp(math.lgamma(coils + 0.5) - math.lgamma(coils))
    sd = math.sqrt(2 * coils * sigma**2 - mean**2)
    assert abs(air.mean() - mean) < 4 * sd / math.sqrt(n)
    assert air.std() == pytest.approx(sd, rel=0.01)
    if coils == 1:
        assert mean / sd == pytest.approx(1.913, abs=5e-4)
    signal = 100 * sigma
    bias = terms.magnitude(signal + real, sigma, p, rng=rng).mean()
    assert bias == pytest.approx((2 * coils - 1) * sigma**2 / (2 * signal), rel=0.02)


def test_magnitude_bias_is_in_the_delivered_series():
    made = simulate_series(200, n_volumes=500, snr=20.0, noise="rician", off=only("thermal", "magnitude"), seed=4)
    assert made.terms["magnitude"].mean() == pytest.approx(50.0**2 / 2000, rel=0.02)


@pytest.mark.parametrize("seed", SEEDS)
def test_spontaneous_signals_have_the_correlation_asked_for(seed):
    wanted = network_correlation(6)
    made = simulate_series(6, connectivity=wanted, n_volumes=4000, off=TERMS, seed=seed)
    found = np.corrcoef(made.observed)
    # One value in about 5 s is fresh: 1600 in 8000 s.
    np.testing.assert_allclose(found, wanted, atol=4 / math.sqrt(1600))
    np.testing.assert_array_equal(made.connectivity, wanted)
    np.testing.assert_allclose(made.observed.std(axis=1), 5.0, rtol=4 / math.sqrt(2 * 1600))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_connectome_drives_a_network_whose_correlation_is_known(seed):
    rng = np.random.Generator(np.random.SFC64(seed))
    weights = rng.random((10, 10)) * np.kron(np.array([[1, 0.05], [0.05, 1]]), np.ones((5, 5)))
    np.fill_diagonal(weights, 0)
    connectome = Connectome(weights, tract_lengths=np.where(weights > 0, 50.0, 0.0))
    made = simulate_series(10, connectivity=connectome, n_volumes=4000, off=TERMS, seed=seed)
    off_diagonal = ~np.eye(10, dtype=bool)
    np.testing.assert_allclose(np.corrcoef(made.observed), made.connectivity, atol=4 / math.sqrt(1600))
    assert np.ptp(made.connectivity[off_diagonal]) > 0.2
    assert np.sqrt((made.clean.std(axis=1) ** 2).mean()) == pytest.approx(5.0, rel=0.1)


def test_events_come_in_any_form(tmp_path):
    rows = [(4.0, 1.0, "a"), (30.0, 1.0, "b")]
    columns = {"onset": [4.0, 30.0], "duration": [1.0, 1.0], "trial_type": ["a", "b"]}
    path = tmp_path / "events.tsv"
    pd.DataFrame(columns).to_csv(path, sep="\t", index=False)
    made = [simulate_series(events=form, seed=1) for form in (rows, columns, pd.DataFrame(columns), path)]
    for one in made[1:]:
        np.testing.assert_array_equal(one.observed, made[0].observed)
    pd.testing.assert_frame_equal(made[0].events, pd.DataFrame(columns))


def test_the_seed_is_kept_and_the_same_seed_gives_the_same_bits():
    made = simulate_series(2)
    np.testing.assert_array_equal(made.observed, simulate_series(2, seed=made.seed).observed)
    assert not np.array_equal(made.observed, simulate_series(2, seed=made.seed + 1).observed)
    with pytest.raises(ValueError, match="read-only"):
        made.observed[0, 0] = 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"events": [(1.0, 1.0)]}, r"`events\[0\]`"),
        ({"events": [(1.0, -1.0, "a")]}, "negative duration"),
        ({"events": [(5000.0, 500.0, "a")], "n_volumes": 50}, "'a' begins at 5000 s, and the run lasts 100 s"),
        ({"events": {"onset": [1.0], "trial_type": ["a"]}}, "no column 'duration'"),
        ({"events": [(1.0, 1.0, "face")], "effects": {"fase": 1.0}}, "did you mean 'face'"),
        ({"events": [(1.0, 1.0, "a")], "effects": {"a": [1.0, 2.0, 3.0]}}, "one number or 2"),
        ({"connectivity": np.eye(3)}, r"\(2, 2\) is wanted"),
        ({"connectivity": np.array([[1, 0.5], [0.4, 1]])}, "symmetric"),
        ({"connectivity": np.array([[1, 1.5], [1.5, 1]])}, "no data have"),
        ({"ar": (1.2,)}, "not a stationary"),
    ],
)
def test_what_cannot_be_is_refused_in_words(options, words):
    with pytest.raises(InputError, match=words):
        simulate_series(2, seed=1, **options)


def test_conflicts_and_unknown_names_are_refused():
    with pytest.raises(ParameterError, match="either `ar` or `ar_time`"):
        simulate_series(ar=(0.3,), ar_time=2.0)
    with pytest.raises(ParameterError, match="`coils`: they belong to noise='chi'"):
        simulate_series(coils=4)
    with pytest.raises(ParameterError, match=r"`tr`: 2000 s is outside .* did you mean 2\?"):
        simulate_series(tr=2000.0)
    with pytest.raises(UnknownNameError, match="did you mean 'thermal'"):
        simulate_series(off="termal")
    with pytest.raises(InputError, match="`n_series`"):
        simulate_series(0)


def test_effects_without_events_are_refused():
    with pytest.raises(InputError, match="`effects`: 1.0, of no event"):
        simulate_series(1, effects=1.0)
    with pytest.raises(InputError, match="of no event"):
        phantom(events=[], effects=1.0)


def test_what_does_not_fit_into_memory_is_refused_with_its_size():
    with pytest.raises(InputError, match="1000000000 series of 100000 volumes take .* GB"):
        simulate_series(10**9, n_volumes=10**5)


@pytest.mark.parametrize("noise", ["gaussian", "rician"])
def test_series_take_as_much_memory_as_is_counted(noise):
    simulate_series(2, seed=1, noise=noise)
    tracemalloc.start()
    made = simulate_series(2000, seed=1, noise=noise)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    counted = (len(TERMS) + WORKING) * made.observed.nbytes
    assert 0.7 * counted < peak < 1.1 * counted
