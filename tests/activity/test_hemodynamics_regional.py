import numpy as np
import pytest

from fakeimaging.activity.hemodynamics import (
    Hemodynamics,
    blood_flow,
    classic_change,
    mode_flow,
    regional_constants,
    respond,
)
from fakeimaging.activity.hemodynamics_parameters import relative_covariance
from fakeimaging.activity.hemodynamics_regional import RegionalHemodynamics, log_normal, same_everywhere
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError
from fakeimaging.testing.fixtures import short_activity, tiny_subject

MEAN = np.array([0.65, 0.41, 0.98, 0.32, 0.34])
NONE = Hemodynamics(regional_variability=0.0, subject_variability=0.0)
CLOCK = Clock(0.0, 0.02, 1500)
PULSE = np.where(CLOCK.times < 1.0, 0.3, 0.0)[:, None]


def drawn(n, scale, seed):
    return RegionalHemodynamics(*(MEAN * log_normal(np.random.default_rng(seed).standard_normal((n, 5)), scale)).T)


@pytest.mark.parametrize("seed", [701, 702, 703])
@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_draws_have_the_published_mean_and_covariance(scale, seed):
    n = 100_000
    factors = log_normal(np.random.default_rng(seed).standard_normal((n, 5)), scale)
    expected = scale**2 * relative_covariance()
    sd = np.sqrt(np.diag(expected))
    assert np.abs((factors.mean(axis=0) - 1) / (sd / np.sqrt(n))).max() < 4
    # The logarithm of a covariance of rank 3 loses 1 % at most; 1 % more is the error of n draws (4 of them, excess kurtosis counted).
    np.testing.assert_allclose(np.cov(factors.T) / np.outer(sd, sd), expected / np.outer(sd, sd), atol=0.03)


def test_the_draws_of_netsim_delay_responses_by_half_a_second():
    # Smith et al. 2011: covariance of tau, alpha and E0 times 4, delays with an SD of 0.5 s; and the plain one.
    spread = []
    for scale in ((1, 1, 2, 2, 2), 1.0):
        constants = drawn(800, scale, 711)
        flow = respond(lambda part: np.repeat(PULSE, 800, axis=1)[part], CLOCK, constants)
        spread.append(flow.clock.times[classic_change(flow).argmax(axis=0)].std())
    assert 0.4 < spread[0] < 0.55
    assert 0.2 < spread[1] < 0.3


@pytest.mark.parametrize("scale", [1.0, 2.0, 4.0])
def test_every_draw_is_above_zero(scale):
    assert (drawn(20_000, scale, 721).stacked > 0).all()


def test_a_subjects_constants_are_its_own_and_always_the_same():
    one, again, other = (
        regional_constants(Hemodynamics(), subject).stacked
        for subject in (tiny_subject(), tiny_subject(), tiny_subject("02"))
    )
    assert (one == again).all()
    assert (one != other).all()
    assert (regional_constants(NONE, tiny_subject()).stacked == MEAN[:, None]).all()


def test_subjects_differ_as_a_whole_and_regions_on_their_own():
    shared = regional_constants(Hemodynamics(regional_variability=0.0), tiny_subject())
    assert np.ptp(shared.tau) == 0
    assert shared.tau[0] != 0.98
    own = regional_constants(Hemodynamics(subject_variability=0.0), tiny_subject())
    both = regional_constants(Hemodynamics(), tiny_subject())
    np.testing.assert_allclose(both.stacked, own.stacked * shared.stacked / MEAN[:, None], rtol=1e-12)


def test_the_size_of_the_variability_does_not_change_where_a_region_lies():
    little, much = (
        np.log(regional_constants(Hemodynamics(subject_variability=0.0, regional_variability=s), tiny_subject()).tau)
        for s in (0.01, 1.0)
    )
    assert np.corrcoef(little, much)[0, 1] > 0.999


def test_draws_stay_within_what_a_parameter_allows():
    wide = Hemodynamics(tau=0.2, E0=0.8, regional_variability=4.0)
    constants = regional_constants(wide, tiny_subject())
    assert constants.tau.min() == 0.2
    assert constants.E0.max() <= 0.8


def test_each_region_follows_its_own_constants():
    constants = drawn(4, 2.0, 731)
    whole = respond(lambda part: np.repeat(PULSE, 4, axis=1)[part], CLOCK, constants)
    for i in range(4):
        values = dict(zip(("kappa", "gamma", "tau", "alpha", "E0"), constants.stacked[:, i], strict=True))
        alone = respond(lambda part: PULSE[part], CLOCK, Hemodynamics(**values))
        for name in ("flow", "volume", "deoxyhemoglobin", "oxygen_metabolism"):
            assert (getattr(whole, name)[:, i] == getattr(alone, name)[:, 0]).all()


def test_modes_have_the_constants_of_their_region(monkeypatch):
    constants = regional_constants(Hemodynamics(), tiny_subject())
    drive = np.repeat(PULSE, 20, axis=1)
    monkeypatch.setattr(
        "fakeimaging.activity.hemodynamics.mode_drive", lambda activity, efficacy: (lambda part: drive[part], CLOCK)
    )
    flow = mode_flow(short_activity(), Hemodynamics(), constants)
    assert (flow.flow[:, :10] == flow.flow[:, 10:]).all()
    assert (flow.constants.tau == np.tile(constants.tau, 2)).all()


def test_constants_of_another_number_of_regions_are_refused():
    with pytest.raises(InputError, match="constants of 3 regions do not fit 10 columns"):
        blood_flow(short_activity(), Hemodynamics(), same_everywhere(Hemodynamics(), 3))


def test_no_variability_is_the_same_blood_to_the_bit():
    activity = short_activity()
    plain = blood_flow(activity, NONE)
    regional = blood_flow(activity, NONE, regional_constants(NONE, tiny_subject()))
    assert (plain.flow == regional.flow).all()
    assert (plain.deoxyhemoglobin == regional.deoxyhemoglobin).all()
    assert (plain.flow != blood_flow(activity, NONE, regional_constants(Hemodynamics(), tiny_subject())).flow).any()
