import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ive
from scipy.stats import cauchy, norm

from fakeimaging.activity.models import kuramoto
from fakeimaging.core.streams import Streams
from tests.activity.models.bare import bare_subject, frequency, lopsided, ring, trace
from tests.activity.models.nodes import call
from tests.reference import delayed

GAMMA = 0.5
LORENTZIAN = {"distribution": "lorentzian", "placement": "quantiles", "frequency_spread": GAMMA / (2 * np.pi)}
QUIET = {"sigma": 0.0, "dipole_density": 1.0}


def quantiles(n, mean=0.0):
    """Natural frequencies in rad/s of row 8."""
    return 2 * np.pi * mean + cauchy.ppf((np.arange(n) + 0.5) / n, scale=GAMMA)


def finite_order(K, omega):
    """Order parameter of regions of these frequencies: r = mean of sqrt(1 - (w / K r)^2) over those that lock."""

    def miss(r):
        locked = np.abs(omega) <= K * r
        return np.sqrt(1 - (omega[locked] / (K * r)) ** 2).sum() / len(omega) - r

    return brentq(miss, 0.2, 1)


def test_the_drift_is_the_papers():
    rng = np.random.default_rng(6)
    for theta, sines, cosines in rng.uniform([-3, -1, -1], [3, 1, 1], (20, 3)):
        known = {"theta": theta, "coupled_sine": sines, "coupled_cosine": cosines, "omega": 60.0, "K": 7.0}
        (slope,) = call(kuramoto.MODEL.drift, {**known, "stimulus": 3.0})
        assert slope == pytest.approx(
            delayed.phase_slope(theta, sines, cosines, omega=60.0, K=7.0, stimulus=3.0), rel=1e-12
        )


@pytest.mark.parametrize(("K", "exact"), [(1.25, 0.447), (1.5, 0.577), (2.0, 0.707), (4.0, 0.866)])
def test_row_8_the_slow_twin_has_the_order_parameter_of_kuramoto(K, exact):
    """2000 regions at the quantiles, the mean over 50 s once settled."""
    assert exact == pytest.approx(np.sqrt(1 - 2 * GAMMA / K), abs=5e-4)
    start = np.random.default_rng(8).uniform(-0.5, 0.5, 2000)
    r = delayed.mean_field_kuramoto(quantiles(2000), K, step=0.05, n_steps=3000, start=start)[2000:].mean()
    assert r == pytest.approx(exact, rel=0.01)


def engine_order(n, K, duration, seed=1, distributed=LORENTZIAN):
    """Order parameter in the engine. The mean of cos theta turns with the locked regions at 1 Hz: from its mean square over whole turns."""
    subject = bare_subject(np.ones((n, n)) - np.eye(n), seed=seed)
    x = trace("kuramoto", subject, duration=duration, step=0.02, K=K, frequency=1.0, **distributed, **QUIET)["dipole"]
    return np.sqrt(2 * np.mean(x[-2000:].mean(axis=1) ** 2))


@pytest.mark.parametrize(("K", "exact"), [(1.5, 0.577), (2.0, 0.707), (4.0, 0.866)])
def test_row_8_in_the_engine_with_400_regions(K, exact):
    expected = finite_order(K * 400 / 399, quantiles(400))
    assert expected == pytest.approx(exact, rel=0.01)  # what 400 regions lack
    assert engine_order(400, K, 60.0) == pytest.approx(expected, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("K", "exact"), [(1.25, 0.447), (2.0, 0.707)])
def test_row_8_in_the_engine_with_2000_regions(K, exact):
    assert engine_order(2000, K, 120.0) == pytest.approx(exact, rel=0.01 if K > 1.5 else 0.03)


NORMAL = {"distribution": "normal", "placement": "quantiles", "frequency_spread": 1 / (2 * np.pi)}
CRITICAL = np.sqrt(8 / np.pi)
"""Coupling at which normal frequencies of SD 1 rad/s lock: 1.596."""


@pytest.mark.parametrize("share", [1.1, 1.25, 1.5])
def test_above_the_critical_coupling_normal_frequencies_lock(share):
    """400 regions at the quantiles against those that lock among 400; infinitely many: 1 = K / Kc e^-y (I0 + I1)(y), y = (K r / 2)^2."""
    omega, K = norm.ppf((np.arange(400) + 0.5) / 400), share * CRITICAL
    expected = finite_order(K * 400 / 399, omega)

    def surplus(r):
        y = (K * r / 2) ** 2
        return share * (ive(0, y) + ive(1, y)) - 1

    assert expected == pytest.approx(brentq(surplus, 0.01, 1), rel=0.03)  # what 400 regions lack
    assert engine_order(400, K, 60.0, distributed=NORMAL) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("seed", [304, 305, 306])
def test_below_the_critical_coupling_normal_frequencies_do_not_lock(seed):
    assert pytest.approx(1.596, abs=5e-4) == CRITICAL
    # Independent phases have E r^2 = 1 / n, multiplied by 1 / (1 - K / Kc) (Daido 1990).
    assert engine_order(400, 0.75 * CRITICAL, 40.0, seed, NORMAL) < 3 * np.sqrt(1 / (400 * 0.25))


@pytest.mark.parametrize("seed", [301, 302, 303])
def test_below_the_critical_coupling_nothing_locks(seed):
    n, K = 400, 0.5
    r = engine_order(n, K, 40.0, seed)
    # Independent phases have E r^2 = 1 / n, which coupling below its critical value Kc multiplies by 1 / (1 - K / Kc) (Daido 1990).
    assert r < 3 * np.sqrt(1 / (n * (1 - K / (2 * GAMMA))))


def locked(omega, K, tau):
    """Frequencies at which a pair may lock in phase (Yeung & Strogatz 1999); stable where cos(W tau) > 0."""
    grid = np.linspace(omega - K - 1, omega + K + 1, 4001)

    def miss(W):
        return W - omega + K * np.sin(W * tau)

    signs = np.sign(miss(grid))
    roots = [brentq(miss, a, b) for a, b, s, t in zip(grid, grid[1:], signs, signs[1:], strict=False) if s != t]
    return [W for W in roots if np.cos(W * tau) > 0]


@pytest.mark.parametrize(
    ("hz", "K", "tau"), [(10.0, 10.0, 0.01), (10.0, 30.0, 0.02), (40.0, 20.0, 0.005), (2.0, 3.0, 0.1)]
)
def test_row_10_a_pair_with_a_delay_locks_where_theory_says(hz, K, tau):
    delays = np.array([[0.0, tau], [tau, 0.0]])
    x = trace(
        "kuramoto",
        bare_subject(ring(2), delays, seed=4),
        duration=10.0,
        step=1e-3,
        K=K,
        frequency=hz,
        frequency_spread=0.0,
        **QUIET,
    )["dipole"][-10_000:]
    expected = [W / (2 * np.pi) for W in locked(2 * np.pi * hz, K, tau)]
    found = [frequency(x[:, i], 1e-3) for i in range(2)]
    assert found[0] == pytest.approx(found[1], rel=1e-4)
    assert np.abs(x[:, 0] - x[:, 1]).max() < 0.01
    assert min(abs(found[0] - W) / W for W in expected) < 1e-3
    assert all(abs(W - hz) / hz > 0.02 for W in expected)  # a delay that does nothing would not pass


@pytest.mark.parametrize("seed", [311, 312, 313])
def test_it_is_its_slow_twin(seed):
    weights, delays = lopsided(5, seed)
    subject = bare_subject(weights, delays, seed=seed)
    setup = kuramoto.prepare(kuramoto.KuramotoParameters(), subject, 1e-3)
    x = trace("kuramoto", subject, duration=1.0, step=5e-4, K=12.0, **QUIET)["dipole"][:2000]
    theta = delayed.kuramoto(
        weights,
        delays,
        omega=2 * np.pi * setup.truth["frequency"],
        K=12.0,
        start=setup.initial["theta"],
        step=5e-4,
        n_steps=2000,
    )
    np.testing.assert_allclose(x, np.cos(theta), atol=2e-3)


@pytest.mark.parametrize("seed", [321, 322, 323])
def test_uncoupled_phases_diffuse(seed):
    sigma, n, seconds = 1.5, 40, 0.5
    x = trace(
        "kuramoto", bare_subject(ring(n), seed=seed), duration=80.0, step=1e-3, K=0.0, frequency=0.0, frequency_spread=0.0, sigma=sigma,
        dipole_density=1.0,
    )["dipole"]  # fmt: skip
    # E cos(theta(t + s)) cos(theta(t)) = exp(-sigma^2 s / 2) / 2 for phases spread evenly.
    lag = round(seconds / 1e-3)
    products = (x[lag:] * x[:-lag]).mean(axis=0)
    assert products.mean() == pytest.approx(
        np.exp(-(sigma**2) * seconds / 2) / 2, abs=3 * products.std() / np.sqrt(n - 1)
    )
    assert products.std() / np.sqrt(n) < 0.03


@pytest.mark.parametrize("distribution", ["normal", "lorentzian"])
def test_natural_frequencies_have_their_distribution(distribution):
    known = {"normal": norm(10, 0.5), "lorentzian": cauchy(10, 0.5)}[distribution]
    n, share = 4000, np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    for placement, error in (("quantiles", 1 / 4000), ("random", 4 * np.sqrt(share * (1 - share) / n))):
        for seed in (1, 2, 3):
            p = kuramoto.KuramotoParameters(distribution=distribution, placement=placement, frequency_spread=0.5)
            drawn = kuramoto.natural_frequencies(p, n, Streams(seed))
            assert (np.abs((drawn[:, None] < known.ppf(share)).mean(axis=0) - share) <= error).all()


def test_the_rate_rises_with_the_regions_own_cosine():
    x = trace("kuramoto", bare_subject(ring(3)), duration=1.0, step=2e-3, modulation=0.8, coherence=0.0, **QUIET)
    assert np.ptp(x["dipole"]) > 1.9
    np.testing.assert_allclose(x["rate"], 5 * np.exp(0.8 * x["dipole"]), rtol=1e-5)


def test_the_rate_rises_with_input_in_phase():
    """Two equal regions without delay lock in phase: coherence 1."""
    x = trace(
        "kuramoto", bare_subject(ring(2)), duration=5.0, step=1e-3, K=20.0, frequency=10.0, frequency_spread=0.0, sigma=0.0,
        modulation=0.0, coherence=0.5,
    )["rate"]  # fmt: skip
    np.testing.assert_allclose(x[-100:], 5 * np.exp(0.5), rtol=1e-4)
