"""Parameters that differ between regions: what each region gets, closed forms with them, what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm

import fakeimaging as fi
from fakeimaging.activity.models import MODELS, dmf_setup, linear
from fakeimaging.activity.regional import regional_maps, with_maps
from fakeimaging.core.errors import FakeImagingError, ModelError, ParameterError
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.streams import Streams
from fakeimaging.testing.fixtures import tiny_subject
from tests.activity.test_engine import random_network

REGIONS = tiny_subject().regions
NAMES = [region.name for region in REGIONS]
LINEAR = MODELS.get("linear")


def maps_of(regional, model=LINEAR, **parameters):
    return regional_maps(model, model.parameters(**parameters), regional, REGIONS)


def test_names_hold_against_groups_and_groups_against_all():
    table = {NAMES[6]: 0.9, "all": 0.1, "network:NetB": 0.4, NAMES[0]: 0.8}
    expected = np.full(10, 0.1)
    expected[6:] = 0.4
    expected[[0, 6]] = (0.8, 0.9)
    for order in (list(table), list(table)[::-1]):
        np.testing.assert_array_equal(maps_of({"sigma": {key: table[key] for key in order}})["sigma"], expected)
    partly = maps_of({"sigma": {NAMES[3]: 2}}, sigma=0.25)["sigma"]
    np.testing.assert_array_equal(partly, np.where(np.arange(10) == 3, 2, 0.25))


def test_a_list_an_array_and_files_say_the_same(tmp_path):
    values = Streams(1).at("test").rng().uniform(0.1, 2, 10)
    np.save(tmp_path / "a.npy", values)
    (tmp_path / "b.csv").write_text("\n".join(map(repr, values.tolist())))
    rows = [f"{name}\t{value!r}" for name, value in zip(NAMES, values.tolist(), strict=True)]
    (tmp_path / "c.tsv").write_text("region\tsigma\n" + "\n".join(rows[::-1]) + "\n")
    runs = [
        fi.simulate_activity(tiny_subject(), model="linear", duration=1.0, regional={"sigma": given})
        for given in (values, values.tolist(), tmp_path / "a.npy", str(tmp_path / "b.csv"), tmp_path / "c.tsv")
    ]
    for run in runs:
        np.testing.assert_array_equal(run.regional["sigma"], values)
        np.testing.assert_array_equal(run.truth["parameter_sigma"], values)
        np.testing.assert_array_equal(run.tap("rate").samples, runs[0].tap("rate").samples)
    assert runs[0].parameters == LINEAR.parameters()
    assert not runs[0].regional["sigma"].flags.writeable


def test_the_same_value_everywhere_changes_nothing():
    for model, name in (("linear", "sigma"), ("dmf", "w_plus"), ("dmf", "J_N"), ("dmf", "noise_exponent")):
        value = MODELS.get(model).parameters.model_fields[name].default
        plain = fi.simulate_activity(tiny_subject(), model=model, duration=2.0)
        mapped = fi.simulate_activity(tiny_subject(), model=model, duration=2.0, regional={name: [value] * 10})
        assert plain.regional == {}
        for tap in plain.taps:
            np.testing.assert_allclose(mapped.tap(tap).samples, plain.tap(tap).samples, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("seed", [51, 52, 53])
def test_the_covariance_of_a_linear_network_of_unlike_regions_is_exact(seed):
    """No delays; n = 600 s / (2 x 0.2 s) independent samples of the slowest mode; Euler adds step / (2 tau), 1.3 % at most."""
    weights, _ = random_network(seed, n=10)
    own = fi.Connectome(weights, np.zeros((10, 10)))
    subject = fi.make_subject("01", seed=seed, anatomy="tiny", connectome=own)
    rng = Streams(seed).at("test").rng()
    regional = {"tau": rng.uniform(0.02, 0.04, 10), "gain": rng.uniform(0.3, 0.8, 10), "sigma": rng.uniform(0.2, 2, 10)}
    run = fi.simulate_activity(subject, model="linear", duration=600.0, step=5e-4, regional=regional)
    x = run.tap("rate").from_start().samples.astype(float)
    x -= x.mean(axis=0)
    exact = linear.covariance(with_maps(linear.LinearParameters(), run.regional), subject.connectome.row_normalised())
    error = np.sqrt((np.outer(exact.diagonal(), exact.diagonal()) + exact**2) / (600 / 0.4))
    assert (np.abs(x.T @ x / len(x) - of_means(exact, run, subject)) < 4 * error + 0.02 * np.abs(exact)).all()


def of_means(exact, run, subject, length=0.01):
    """Covariance of means over the intervals of the tap: the integral of (length - u) / length^2 (e^Au P + P e^A'u)."""
    gain, tau = (run.regional[name][:, None] for name in ("gain", "tau"))
    flow = (gain * subject.connectome.row_normalised() - np.eye(10)) / tau
    nodes, weights = np.polynomial.legendre.leggauss(8)
    lags = [(length * (1 + node) / 2, length * weight / 2) for node, weight in zip(nodes, weights, strict=True)]
    return sum(w * (length - u) / length**2 * (expm(flow * u) @ exact + exact @ expm(flow * u).T) for u, w in lags)


def test_dmf_takes_every_number_that_is_not_the_networks_own():
    """Each parameter as a map by itself, and for the modes all at once: what follows is a finite number for each region."""
    model = MODELS.get("dmf")
    assert model.uniform == ("loop_gain",)
    varying = {
        name: field.default for name, field in model.parameters.model_fields.items() if name not in model.uniform
    }
    given = {name: (np.linspace(0.98, 1.0, 10) * default).tolist() for name, default in varying.items()}
    cases = [(model, {name: values}) for name, values in given.items()] + [(model.modes, given)]
    for part, regional in cases:
        own = with_maps(model.parameters(), regional_maps(model, model.parameters(), regional, REGIONS))
        for value in part.prepare(own, tiny_subject(), 1e-3).derived.values():
            assert np.isfinite(np.broadcast_to(value, (10,))).all()


def test_each_region_of_dmf_works_as_if_its_values_were_everywhere():
    """What is local in closed form (currents, gating, slopes, noise) does not know of the other regions' values."""
    values = {"w_plus": (0.9, 1.1), "a_E": (300.0, 320.0), "tau_I": (0.008, 0.012), "noise_exponent": (0.8, 1.3)}
    halves = np.arange(10) < 5
    maps = {name: np.where(halves, *pair) for name, pair in values.items()}
    mixed = with_maps(dmf_setup.DmfParameters(), maps)
    rate, noise = np.full(10, 4.0), np.full(10, 0.01)
    point, filters = dmf_setup.set_point(mixed, rate, noise), dmf_setup.noise_filters(mixed, tiny_subject(), 1e-3)
    for side, rows in enumerate((halves, ~halves)):
        alone = dmf_setup.DmfParameters(**{name: pair[side] for name, pair in values.items()})
        one, own = dmf_setup.set_point(alone, rate, noise), dmf_setup.noise_filters(alone, tiny_subject(), 1e-3)
        for name in ("I_E", "I_I", "S_E", "S_I", "slope_E", "slope_I"):
            np.testing.assert_allclose(getattr(point, name)[rows], getattr(one, name)[rows], rtol=1e-9)
        for name, filtered in own.items():
            np.testing.assert_allclose(np.broadcast_to(filters[name], 10)[rows], np.broadcast_to(filtered, 10)[rows])


def test_the_loop_gain_of_unlike_regions_is_the_one_asked_for():
    maps = {"J_N": np.linspace(0.12, 0.18, 10), "gamma": np.linspace(0.7, 0.6, 10)}
    p = with_maps(dmf_setup.DmfParameters(loop_gain=0.7), maps)
    point, G, J = dmf_setup.working_point(p, tiny_subject())
    chi = dmf_setup.slow_response(p, point, J)
    loops = np.diag(G * maps["J_N"] * chi) @ tiny_subject().connectome.row_normalised()
    assert np.abs(np.linalg.eigvals(loops)).max() == pytest.approx(0.7, rel=1e-9)


def test_modes_get_the_same_values():
    maps = {"mode_drive": {NAMES[2]: 0.0}}
    run = fi.simulate_activity(tiny_subject(), duration=5.0, regional=maps)
    silent = ~np.asarray(run.modes("rate").samples).any(axis=0)
    np.testing.assert_array_equal(silent.reshape(-1, 10).all(axis=0), np.arange(10) == 2)


def test_target_rates_of_regions_are_reached():
    """10 s of quiet network: each region sits at the rate that its map asks for."""
    quiet = {"noise_sd": 0.0, "alpha_noise": 0.0, "alpha_current": 0.0, "rate_log_sd": 0.0}
    wanted = np.linspace(3.0, 6.0, 10)
    run = fi.simulate_activity(tiny_subject(), duration=10.0, parameters=quiet, regional={"target_rate": wanted})
    np.testing.assert_allclose(run.tap("rate").samples[-50:].mean(axis=0), wanted, rtol=1e-3)


@pytest.mark.parametrize(
    ("regional", "message"),
    [
        ({"sigm": {"all": 1.0}}, "`run.regional.sigm`: model linear has no such parameter; did you mean 'sigma'"),
        ({"sigma": {"L_NetA_1": 1.0}}, "`run.regional.sigma`: the subject has no such region as 'L_NetA_1'; did you mean"),
        ({"sigma": {"L_NetA_01": -1.0}}, r"`run.regional.sigma`: -1 Hz is outside \[0, 100\] .*; for 'L_NetA_01'"),
        ({"sigma": [1.0] * 9 + [500.0]}, r"500 Hz is outside \[0, 100\] .*; in place 10"),
        ({"sigma": [1.0] * 9}, "9 numbers for 10 regions"),
        ({"sigma": {}}, "empty; name at least one region"),
        ({"sigma": []}, "empty; name at least one region"),
        ({"sigma": {"all": "x"}}, "'x' is not a number; for 'all'"),
        ({"sigma": {"all": float("nan")}}, "is not a finite number; for 'all'"),
        ({"sigma": 3.0}, r"3.0 is neither a table of regions, a list of numbers nor a file \(.npy, .csv, .tsv\)"),
        ({"sigma": "mine.mat"}, "'mine.mat' is neither"),
        ({"sigma": {"network:NetA": 1.0, "kind:cortex": 2.0}}, "both reach 'L_NetA_01', with different values; name that"),
    ],
)  # fmt: skip
def test_a_map_that_cannot_be_is_refused(regional, message):
    with pytest.raises(ParameterError, match=message):
        fi.simulate_activity(tiny_subject(), model="linear", duration=1.0, regional=regional)


def test_what_holds_for_the_whole_network_is_refused_by_name():
    with pytest.raises(
        ParameterError, match="`run.regional.loop_gain`: loop_gain of model dmf holds for the whole network"
    ):
        fi.simulate_activity(tiny_subject(), duration=1.0, regional={"loop_gain": {"all": 0.5}})
    with pytest.raises(ModelError, match="'loop_gian' is not a parameter; did you mean 'loop_gain'"):
        replace(MODELS.get("dmf"), uniform=("loop_gian",))


class Whole(Parameters):
    """One number, one count."""

    k: float = parameter(1.0, unit="1/s")
    n: int = parameter(2, unit="1")


def test_only_plain_numbers_can_differ():
    model = replace(LINEAR, name="whole", parameters=Whole)
    with pytest.raises(ParameterError, match="n of model whole is no plain number"):
        regional_maps(model, Whole(), {"n": {"all": 3}}, REGIONS)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "1,2\n" * 10, "one column of numbers is needed, not 2"),
        ("a.csv", "1\n" * 9, "9 numbers for 10 regions"),
        ("a.csv", "L_NetA_01,1\nL_NetA_01,2\n", "two rows have one name"),
        ("a.csv", "L_NetA_01,1\nL_NetA_09,2\n", "no such region as 'L_NetA_09'"),
        ("a.csv", "L_NetA_01,1\nR_NetA_01,200\n", "200 Hz is outside .*; in 'R_NetA_01'"),
        ("a.csv", "1\n" * 9 + "inf\n", "inf in row 10"),
        ("b.csv", None, "cannot read"),
    ],
)
def test_a_bad_file_of_a_map_is_refused(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(FakeImagingError, match=message):
        maps_of({"sigma": str(tmp_path / name)})
