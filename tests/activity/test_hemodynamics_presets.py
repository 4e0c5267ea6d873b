import re
import tomllib
from importlib.resources import files

import numpy as np
import pytest

from fakeimaging.activity.hemodynamics import classic_change, respond
from fakeimaging.activity.hemodynamics_parameters import CONSTANTS, Hemodynamics, presets, relative_covariance
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import ParameterError
from fakeimaging.modalities.bold import BoldParameters

TABLE = tomllib.loads((files("fakeimaging.data") / "hemodynamics.toml").read_text())
UNITS = {"kappa": "1/s", "gamma": "1/s", "tau": "s", "alpha": "1", "E0": "1"}


@pytest.mark.parametrize("name", presets())
def test_each_constant_has_unit_and_source_and_is_allowed(name):
    for key in CONSTANTS:
        row = TABLE["presets"][name][key]
        assert row["unit"] == UNITS[key]
        assert len(row["source"]) > 5
    own = Hemodynamics(preset=name)
    assert [getattr(own, key) for key in CONSTANTS] == [presets()[name][key] for key in CONSTANTS]


def test_the_defaults_are_those_of_the_default_preset():
    assert Hemodynamics() == Hemodynamics(preset="friston2003")
    fields = Hemodynamics.model_fields
    assert {key: fields[key].default for key in CONSTANTS} == presets()["friston2003"]


def test_what_is_given_wins_over_the_preset():
    own = Hemodynamics(preset="spm12", tau=1.5)
    assert (own.kappa, own.gamma, own.tau, own.E0) == (0.64, 0.32, 1.5, 0.4)


def test_a_preset_is_one_key_of_a_scan_and_survives_a_round_trip():
    scan = BoldParameters.parse({"hemodynamics": {"preset": "spm12"}}, where="bold")
    assert scan.hemodynamics == Hemodynamics(preset="spm12")
    assert BoldParameters.model_validate_json(scan.model_dump_json()) == scan


def test_an_unknown_preset_is_named_with_the_nearest_one():
    with pytest.raises(ParameterError, match=re.escape("`bold.hemodynamics.preset`") + ".*did you mean 'spm12'"):
        BoldParameters.parse({"hemodynamics": {"preset": "spm21"}}, where="bold")


@pytest.mark.parametrize(
    ("kappa", "gamma"),
    [(1 / 0.65, 1 / 0.41), (1.54, 2.46), (0.65, 2.44), (1.54, 1.44)],
    ids=["1/p", "2000", "g", "tvb"],
)
def test_a_time_given_as_a_rate_is_refused(kappa, gamma):
    with pytest.raises(ParameterError, match="a rate: one over its time"):
        Hemodynamics(kappa=kappa, gamma=gamma)


@pytest.mark.parametrize("name", presets())
def test_every_published_set_peaks_between_3_and_6_seconds(name):
    clock = Clock(0.0, 0.02, 1500)
    pulse = np.where(clock.times < 1.0, 0.3, 0.0)[:, None]
    flow = respond(lambda part: pulse[part], clock, Hemodynamics(preset=name))
    assert 3.0 < flow.clock.times[classic_change(flow)[:, 0].argmax()] < 6.0


def test_the_covariance_is_that_of_the_three_modes_of_spm():
    # spm_hdm_priors.m r4579: hemodynamic modes and their eigenvalues; NetSim quotes its blocks, rounded.
    modes = np.array(
        [
            [-0.0535, 0.0095, -0.1117, -0.0040, -0.0026],
            [-0.0604, -0.0319, 0.0430, -0.0077, 0.0026],
            [0.1116, -0.0347, -0.2539, -0.0169, -0.0115],
            [0.1985, 0.1698, 0.4984, -0.4493, 0.4434],
            [0.0029, 0.2081, 1.9582, -0.5209, -1.1634],
        ]
    ).T
    covariance = modes @ np.diag([2.1225, 1.2006, 0.3519, 0, 0]) @ modes.T
    mean = np.array([0.65, 0.41, 0.98, 0.32, 0.34])
    np.testing.assert_allclose(relative_covariance() * np.outer(mean, mean), covariance, atol=1e-8)
    netsim_flow, netsim_volume = [[0.0148, -0.0001], [-0.0001, 0.0018]], [0.0514, 0.0002, 0.0001]
    np.testing.assert_allclose(covariance[:2, :2], netsim_flow, atol=5e-5)
    np.testing.assert_allclose(np.diag(covariance)[2:], netsim_volume, atol=5e-5)
