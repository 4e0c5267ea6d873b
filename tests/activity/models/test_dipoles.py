"""The dipole of every model is the closed form of its docstring: from rest, positive for excitation, in every region."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.activity.models import MODELS
from fakeimaging.testing.fixtures import tiny_subject
from tests.activity.models.nodes import call

DEEP = (0, 7)
"""Regions that are made subcortical."""


@dataclass(frozen=True)
class Case:
    """``closed(s, c, u)`` of states, what arrives and the stimulus makes a dipole of ``density``; ``pushes`` are called excitation."""

    density: float
    closed: object
    pushes: dict
    quiet: dict
    settles: bool = True


CASES = {
    "deco2014": Case(
        3.0,
        lambda s, c, u: 0.382 + 1.4 * 0.15 * s.S_E + 0.7 * 0.15 * c.S_E - s.J * s.S_I + u,
        {"S_E": 0.1, "S_I": -0.01, "coupled_S_E": 0.1, "stimulus": 0.05},
        {"sigma": 0.0},
    ),
    "dmf": Case(
        8.0,
        lambda s, c, u: s.dendrite,
        {"dendrite": 0.1},
        {"noise_sd": 0.0, "alpha_noise": 0.0},
        settles=False,  # its working point is the mean over the noise
    ),
    "epileptor": Case(0.3, lambda s, c, u: s.x2 - s.x1, {"x2": 0.3, "x1": -0.2}, {"sigma": 0.0}),
    "fitzhugh_nagumo": Case(0.25, lambda s, c, u: s.v, {"v": 0.3}, {"sigma": 0.0, "a": 1.05}),
    "hopfield": Case(0.65, lambda s, c, u: np.tanh(s.x), {"x": 0.3}, {"sigma": 0.0}),
    "jansen_rit": Case(0.05, lambda s, c, u: s.y1 - s.y2, {"y1": 2.0, "y2": -1.5}, {"sigma": 0.0, "p": 60.0}),
    "kuramoto": Case(0.1, lambda s, c, u: np.cos(s.theta), {}, {"sigma": 0.0}, settles=False),
    "linear": Case(0.09, lambda s, c, u: s.x, {"x": 0.7}, {"sigma": 0.0}),
    "montbrio_pazo_roxin": Case(
        0.5, lambda s, c, u: 0.01 * (15 * s.r + 10 * c.r), {"r": 5.0, "coupled_r": 5.0}, {"sigma": 0.0}
    ),
    "netsim": Case(0.4, lambda s, c, u: s.z, {"z": 0.3}, {"up": 0.0, "input_noise": 0.0}),
    "reduced_wong_wang": Case(
        8.0,
        lambda s, c, u: 0.9 * 0.2609 * s.S + 0.8 * 0.2609 * c.S + 0.3 + u,
        {"S": 0.1, "coupled_S": 0.1, "stimulus": 0.05},
        {"sigma": 0.0},
    ),
    "stuart_landau": Case(0.3, lambda s, c, u: s.x, {"x": 0.3}, {"beta": 0.0, "a": -1.0}),
    "wilson_cowan": Case(1.0, lambda s, c, u: s.E, {"E": 0.02}, {"sigma": 0.0}),
}  # fmt: skip
FROM_REST = sorted(set(CASES) - {"kuramoto", "stuart_landau"})


def subject():
    """Ten regions, two of them deep."""
    person = tiny_subject()
    regions = tuple(
        replace(region, kind="subcortical") if i in DEEP else region for i, region in enumerate(person.regions)
    )
    parcellation = replace(person.parcellation, regions=regions)
    return replace(person, parcellation=parcellation)


def node(name, region):
    """What the dipole's function of one region finds at rest, by name."""
    model, person = MODELS.get(name), subject()
    checked = model.parameters()
    setup = model.prepare(checked, person, model.step)
    start = {state: np.broadcast_to(setup.initial.get(state, 0.0), 10) for state in model.states}
    known = checked.model_dump() | {"stimulus": 0.0}
    known |= {key: float(np.broadcast_to(value, 10)[region]) for key, value in setup.derived.items()}
    known |= {key: float(value[region]) for key, value in start.items()}
    return known | {f"coupled_{state}": float((setup.coupling @ start[state])[region]) for state in model.coupled}


def closed(name, known):
    """The docstring's dipole before the density and the rest are taken into account."""
    states = SimpleNamespace(**known | {"J": known.get("J_local", known["J"] if name == "dmf" else None)})
    arriving = {key.removeprefix("coupled_"): value for key, value in known.items() if key.startswith("coupled_")}
    return CASES[name].closed(states, SimpleNamespace(**arriving), known["stimulus"])


def dipole(name, known):
    return call(MODELS.get(name).observables["dipole"].function, known)


def test_every_model_has_a_case():
    assert sorted(CASES) == sorted(MODELS.names())


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_docstrings_closed_form(name):
    rest = node(name, 2)
    base = closed(name, rest) if name in FROM_REST else 0.0
    rng = np.random.default_rng(12)
    for _ in range(20):
        moved = {
            key: rng.uniform(0.01, 0.6) for key in rest if key in MODELS.get(name).states or key.startswith("coup")
        }
        moved["stimulus"] = rng.uniform(-0.1, 0.1)
        expected = CASES[name].density * (closed(name, rest | moved) - base)
        assert dipole(name, rest | moved) == pytest.approx(expected, rel=1e-6, abs=1e-9)
        assert abs(expected) > 1e-4


def test_dendrites_of_the_default_model_follow_the_currents_of_its_docstring():
    rest, rng = node("dmf", 2), np.random.default_rng(13)
    for _ in range(20):
        moved = {key: rng.uniform(0.01, 0.6) for key in rest if key in MODELS.get("dmf").states}
        moved |= {"coupled_S_E": rng.uniform(0.01, 0.6), "stimulus": rng.uniform(-0.1, 0.1)}
        s = SimpleNamespace(**rest | moved)
        drive = s.f1 + s.f2 + s.f3 + s.f4 + s.f5 + s.f6 + 0.008 * s.x
        current = 0.382 + 0.15 * s.S_E + s.G * 0.15 * s.coupled_S_E - s.J * s.S_I + drive + s.stimulus
        wanted = (drive + 0.25 * (current - s.rest_current - drive) - s.dendrite) / 0.008
        assert call(MODELS.get("dmf").drift, rest | moved)[-1] == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("name", FROM_REST)
def test_it_is_0_at_rest_and_positive_for_excitation(name):
    rest = node(name, 2)
    assert dipole(name, rest) == pytest.approx(0.0, abs=1e-8)
    for key, size in CASES[name].pushes.items():
        assert dipole(name, rest | {key: rest[key] + size}) > 1e-3, key


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].settles])
def test_without_noise_it_stays_0_at_rest(name):
    activity = fi.simulate_activity(subject(), model=name, duration=1.0, transient=2.0, parameters=CASES[name].quiet)
    assert np.abs(activity.tap("dipole").samples).max() < 1e-4


@pytest.mark.parametrize("name", CASES)
def test_deep_regions_have_one_too(name):
    samples = fi.simulate_activity(subject(), model=name, duration=1.0, transient=1.0).tap("dipole").samples
    assert samples.std(axis=0).min() > 1e-4
