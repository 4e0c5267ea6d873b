import inspect

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from fakeimaging.activity.models import fitzhugh_nagumo as fhn
from tests.activity.models.bare import bare_subject, frequency, lopsided, ring, trace
from tests.reference import delayed

FITZHUGH = {"a": 0.7, "b": 0.8, "phi": 0.08}
ALONE = {**FITZHUGH, "tau": 0.0025, "G": 0.0, "sigma": 0.0, "dipole_density": 1.0}


def slopes(v, w, **changes):
    """The model's drift as plain Python, one isolated region, time in units of tau."""
    p = fhn.FitzHughNagumoParameters(**{"tau": 1e-3, "G": 0.0, **FITZHUGH, **changes})
    given = {**p.model_dump(), "v": v, "w": w, "coupled_v": 0.0, "stimulus": 0.0, "strength": 0.0}
    return np.array(fhn.drift(*(given[name] for name in inspect.signature(fhn.drift).parameters))) * p.tau


def growth(current, **changes):
    """Largest real part of the eigenvalues at the fixed point, and their imaginary part."""
    v, w = map(float, fhn.rest(fhn.FitzHughNagumoParameters(**{**FITZHUGH, "I_ext": current, **changes})))
    np.testing.assert_allclose(slopes(v, w, I_ext=current, **changes), 0, atol=1e-12)
    h = 1e-6
    columns = [
        (slopes(v + dv, w + dw, **changes) - slopes(v - dv, w - dw, **changes)) / (2 * h) for dv, dw in ((h, 0), (0, h))
    ]
    values = np.linalg.eigvals(np.array(columns).T)
    return values.real.max(), np.abs(values.imag).max()


def test_fitzhugh_1961_resting_point_and_hopf_currents():
    # FitzHugh (1961), a = 0.7, b = 0.8: rest at x = 1.1994, y = -0.6243 in his sign of x.
    v, w = fhn.rest(fhn.FitzHughNagumoParameters(**FITZHUGH))
    assert (-v, w) == pytest.approx((1.1994, -0.6243), abs=1e-4)
    # With phi = 0.08 rest is lost at I = 0.331 and found again at 1.419: there v = -+sqrt(1 - phi b) in closed form.
    low, high = (brentq(lambda current: growth(current)[0], *ends) for ends in ((0.2, 0.5), (1.2, 1.6)))
    assert (low, high) == pytest.approx((0.331, 1.419), rel=0.01)
    edge = np.sqrt(1 - 0.064)
    exact = [(s * edge + 0.7) / 0.8 - s * edge + s * edge**3 / 3 for s in (-1, 1)]
    assert (low, high) == pytest.approx(exact, rel=1e-6)
    assert growth(low)[1] == pytest.approx(np.sqrt(0.08 - 0.064**2), rel=1e-4)


def reference(current, seconds, start, tau=0.0025):
    return solve_ivp(
        lambda t, y: [(y[0] - y[0] ** 3 / 3 - y[1] + current) / tau, 0.08 * (y[0] + 0.7 - 0.8 * y[1]) / tau],
        (0, seconds), start, rtol=1e-9, atol=1e-9, dense_output=True,
    ).sol  # fmt: skip


def test_between_the_hopf_currents_it_cycles_and_outside_it_rests():
    kick = {"trial_type": "kick", "kind": "cortex", "amplitude": 0.2, "onset": 0.0, "duration": 0.01, "latency": 0.0}
    for current, cycles in ((0.25, False), (0.5, True), (1.0, True), (1.5, False)):
        run = trace(
            "fitzhugh_nagumo", bare_subject(ring(2)), duration=4.0, step=2e-4, conditions=[kick], I_ext=current, **ALONE
        )
        v = run["dipole"][-5000:, 0]
        assert (np.ptp(v) > 2.0) == cycles
        assert cycles or np.ptp(v) < 1e-3
        if cycles:
            assert run["rate"].max() > 15


@pytest.mark.parametrize("current", [0.5, 1.0])
def test_the_cycle_has_the_period_and_size_of_an_adaptive_solver(current):
    kick = {"trial_type": "kick", "kind": "cortex", "amplitude": 0.2, "onset": 0.0, "duration": 0.01, "latency": 0.0}
    run = trace(
        "fitzhugh_nagumo", bare_subject(ring(2)), duration=8.0, step=2e-4, conditions=[kick], I_ext=current, **ALONE
    )
    v = run["dipole"][-25_000:, 0] + fhn.rest(fhn.FitzHughNagumoParameters(**FITZHUGH, I_ext=current))[0]
    times = np.arange(0, 8, 2e-4)
    known = reference(current, 8.0, [-1.0, 1.0])(times)[0][-25_000:]
    assert frequency(v, 2e-4) == pytest.approx(frequency(known, 2e-4), rel=1e-3)
    assert (v.min(), v.max()) == pytest.approx((known.min(), known.max()), rel=0.01)
    assert 8 < frequency(v, 2e-4) < 12  # about 10 Hz, as the page of the model says


def test_ghosh_2008_is_a_point_of_the_same_family():
    """u' = T (v + u - u^3 / 3), v' = -(u - alpha + beta v) / T: the frequency and damping of its focus."""
    T, alpha, beta = 1.25, 1.05, 0.2
    u = brentq(lambda u: u**3 / 3 - u - (alpha - u) / beta, -3, 3)
    ghosh = np.linalg.eigvals(np.array([[T * (1 - u * u), T], [-1 / T, -beta / T]])) / T
    rate, turn = growth(0.0, a=alpha, b=beta, phi=1 / T**2)
    assert rate == pytest.approx(ghosh.real.max(), rel=1e-4)
    assert turn == pytest.approx(np.abs(ghosh.imag).max(), rel=1e-4)
    assert rate < 0
    edge = brentq(lambda a: growth(0.0, a=a, b=beta, phi=1 / T**2)[0], 0.5, 1.05)
    assert edge == pytest.approx(0.801, abs=1e-3)


@pytest.mark.parametrize("seed", [401, 402, 403])
def test_it_is_its_slow_twin(seed):
    """A ring of equal regions leaves rest, pushed once, with delays."""
    weights, delays = lopsided(4, seed)
    push = {
        "trial_type": "push",
        "regions": ("r1",),
        "amplitude": 0.2,
        "onset": 0.0,
        "duration": 1.0,
        "latency": 0.0,
        "rise": 0.001,
    }
    quiet = {"sigma": 0.0, "dipole_density": 1.0, "a": 0.75, "G": 0.3, "tau": 0.0115}
    run = trace("fitzhugh_nagumo", bare_subject(weights, delays), duration=1.0, step=5e-4, conditions=[push], **quiet)
    v0, w0 = map(float, fhn.rest(fhn.FitzHughNagumoParameters(a=0.75)))
    start = round(20 / 5e-4)
    found = run["dipole"][start + 1 : start + 1200 : 2]
    current = np.array([0.2, 0, 0, 0])
    slow = delayed.fitzhugh_nagumo(
        weights,
        delays,
        tau=0.0115,
        a=0.75,
        b=0.2,
        phi=0.64,
        current=current,
        G=0.3,
        start=[[v0] * 4, [w0] * 4],
        step=5e-4,
        n_steps=1200,
    )[::2]
    np.testing.assert_allclose(found[1:], slow[1 : len(found)] - v0, atol=3e-3 * np.ptp(slow))
    assert np.ptp(slow) > 0.05


@pytest.mark.parametrize("b", [0.01, 0.2, 0.8, 1.0])
def test_the_resting_point_solves_the_equations(b):
    p = fhn.FitzHughNagumoParameters(b=b).model_copy(
        update={"a": np.linspace(-2, 2, 9), "I_ext": np.linspace(1.5, -1, 9)}
    )
    v, w = fhn.rest(p)
    np.testing.assert_allclose(v - v**3 / 3 - w + p.I_ext, 0, atol=1e-8)
    np.testing.assert_allclose(v + p.a - b * w, 0, atol=1e-12)


@pytest.mark.parametrize("seed", [411, 412, 413])
def test_small_noise_has_the_variance_of_the_linearised_equations(seed):
    from scipy.linalg import solve_continuous_lyapunov

    tau, sigma, n, seconds = 0.0115, 0.01, 8, 480.0
    x = trace(
        "fitzhugh_nagumo",
        bare_subject(ring(n), seed=seed),
        duration=seconds,
        step=1e-3,
        G=0.0,
        a=0.85,
        sigma=sigma,
        dipole_density=1.0,
        tau=tau,
    )["dipole"][2000:]
    v, _ = fhn.rest(fhn.FitzHughNagumoParameters(a=0.85))
    A = np.array([[1 - v * v, -1.0], [0.64, -0.128]])
    P = solve_continuous_lyapunov(A, -np.diag([sigma**2, 0.0]))[0, 0]
    damping = -np.trace(A) / 2 / tau
    error = 1 / np.sqrt(len(x) * 1e-3 * damping * n)
    assert x.var() / P == pytest.approx(1, abs=3 * error + 0.02)  # and 2 % for the step and the cubic
    assert error < 0.02
