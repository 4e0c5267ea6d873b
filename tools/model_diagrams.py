"""What the picture of each model shows of it: which run, and how behaviour changes along one parameter.

A model that stands in neither table has a picture all the same: its default run, and correlations against weights.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

import fakeimaging as fi
from fakeimaging.activity.models.linear import covariance
from fakeimaging.activity.wiring import scaled
from fakeimaging.scoring.connectivity import connectivity

Array = npt.NDArray[np.float64]
Taps = Mapping[str, Array]
SUBJECT_SEED = 1
N_ALONE, N_NETWORK = 60, 20
"""Regions of the subject of a diagram: each alone with a value of its own, or one network for each value."""
SPEED = 7.0
"""Conduction speed in m/s, the default of a run."""
DURATION = 60.0
"""Length of the runs of a diagram in s, after the transient of the model."""


@dataclass(frozen=True)
class Shown:
    """The run of the upper panels.

    Parameters
    ----------
    seconds : float
        Length of the traces.
    start : float
        Where they begin, s.
    duration : float
        Length of the run, s; spectrum and correlations take all of it.
    parameters : mapping
        What differs from the defaults.
    zone : mapping
        What differs from that in two of the four regions whose traces are shown.
    """

    seconds: float = 3.0
    start: float = 20.0
    duration: float = 300.0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    zone: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Branch:
    """One line of a diagram.

    Parameters
    ----------
    label : str
    fixed : mapping
        Parameters that differ from the defaults.
    shift : mapping of str to float
        Added to where the model starts.
    """

    label: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    shift: Mapping[str, float] = field(default_factory=dict)


def extremes(taps: Taps) -> Array:
    """Return least and greatest value in time of each region, shape (2, n_regions)."""
    (values,) = taps.values()
    return np.stack([values.min(axis=1), values.max(axis=1)])


def deviation(taps: Taps) -> Array:
    """Return the SD in time, averaged over regions."""
    (values,) = taps.values()
    return np.array([values.std(axis=1).mean()])


def correlation(taps: Taps) -> Array:
    """Return the mean correlation between regions of their means in each second."""
    (values,) = taps.values()
    rate = round(values.shape[1] / DURATION)
    matrix = connectivity(values.reshape(len(values), -1, rate).mean(axis=2))
    return np.array([matrix[np.triu_indices(len(matrix), 1)].mean()])


def order(taps: Taps) -> Array:
    """Return the mean in time of |mean over regions of exp(i theta)|."""
    return np.array([np.abs((taps["cosine"] + 1j * taps["sine"]).mean(axis=0)).mean()])


@dataclass(frozen=True)
class Diagram:
    """How behaviour changes along one parameter.

    Parameters
    ----------
    parameter : str
    low, high : float
        Its range.
    caption : str
        What is seen.
    label : str
        Of the vertical axis, with unit.
    alone : bool
        Each value in a region of its own, without coupling, all in one run; otherwise a network for each value.
    taps : mapping of str to float
        What is recorded, at how many samples per second; an observable, or what the model sends.
    measure : callable
        Returns what is drawn, of taps of shape (n_regions, n_samples).
    branches : tuple of Branch
    known : tuple of (value, text)
        Published points of the parameter.
    source : str
        Where they come from.
    theory : callable, optional
        Closed form of what is drawn, by value.
    theory_text : str
    all_to_all : bool
        Every region coupled to every other, without delays.
    """

    parameter: str
    low: float
    high: float
    caption: str
    label: str
    alone: bool = True
    taps: Mapping[str, float] = field(default_factory=lambda: {"rate": 250.0})
    measure: Callable[[Taps], Array] = extremes
    branches: tuple[Branch, ...] = (Branch(),)
    known: tuple[tuple[float, str], ...] = ()
    source: str = ""
    theory: Callable[[Array], Array] | None = None
    theory_text: str = ""
    all_to_all: bool = False


def values_of(diagram: Diagram) -> Array:
    """Return the values of the parameter."""
    return np.linspace(diagram.low, diagram.high, N_ALONE if diagram.alone else N_NETWORK + 1)


def swept(name: str, diagram: Diagram, branch: Branch) -> Array:
    """Return what is drawn of one branch, shape (n_lines, n_values)."""
    model, values = shifted(fi.MODELS.get(name), diagram, branch), values_of(diagram)
    subject = subject_of(diagram)
    options: dict[str, Any] = {"model": model, "duration": DURATION, "taps": dict(diagram.taps)}
    if diagram.alone:
        regional = {diagram.parameter: values.tolist()}
        activity = fi.simulate_activity(subject, parameters=branch.fixed, regional=regional, **options)
        return diagram.measure(recorded(activity))
    points = []
    for value in values.tolist():
        parameters = {**branch.fixed, diagram.parameter: value}
        measured = diagram.measure(recorded(fi.simulate_activity(subject, parameters=parameters, **options)))
        points.append([measured[0].min(), *(line.max() for line in measured[1:])])
    return np.array(points).T


def recorded(activity: fi.Activity) -> Taps:
    """Return the taps of an activity from t = 0, each of shape (n_regions, n_samples)."""
    return {name: tap.from_start().by_region.astype(float) for name, tap in activity.taps.items()}


def shifted(model: fi.Model, diagram: Diagram, branch: Branch) -> fi.Model:
    """Return a model that starts elsewhere, and shows what it sends when a diagram asks for that."""

    def prepare(parameters: Any, subject: fi.Subject, step: float) -> fi.Setup:
        setup = model.prepare(parameters, subject, step)
        moved = {state: setup.initial.get(state, 0.0) + by for state, by in branch.shift.items()}
        return replace(setup, initial={**setup.initial, **moved})

    sent = {name: fi.Observable(function, "1", diagram.taps.get(name, 1.0)) for name, function in model.sent.items()}
    return replace(model, prepare=prepare, observables={**sent, **model.observables})


def recipe(name: str) -> str:
    """Return a digest of what the picture of a model is made from: its functions, defaults and run, and the tables below."""
    model, diagram = fi.MODELS.get(name), DIAGRAMS.get(name)
    parts: list[Any] = [bare_code(function) for function in model.functions]
    parts += [(row["name"], row["default"]) for row in model.parameters.table()]
    parts += [model.scheme, model.step, model.transient, SHOWN.get(name, Shown())]
    if diagram is not None:
        parts += [
            diagram.parameter,
            diagram.low,
            diagram.high,
            diagram.taps,
            diagram.branches,
            diagram.measure.__name__,
        ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def bare_code(function: Callable[..., Any]) -> str:
    """Return the source of a function without docstring, comments and layout."""
    lines = inspect.getsource(function).split("\n")
    (node,) = ast.parse("\n".join(lines)).body
    if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
        del lines[node.body[0].lineno - 1 : node.body[0].end_lineno]
    return re.sub(r"[\s,]", "", re.sub(r"#.*", "", "\n".join(lines)))


def subject_of(diagram: Diagram) -> fi.Subject:
    """Return the subject of a diagram."""
    n = N_ALONE if diagram.alone or diagram.all_to_all else N_NETWORK
    if not diagram.all_to_all:
        return fi.make_subject("01", seed=SUBJECT_SEED, anatomy="tiny", n_regions=n)
    wiring = fi.Connectome(np.ones((n, n)) - np.eye(n), np.zeros((n, n)))
    return fi.make_subject("01", seed=SUBJECT_SEED, anatomy="tiny", n_regions=n, connectome=wiring)


def linear_deviation(values: Array) -> Array:
    """Return the SD of the linear network's rates by gain, from its exact covariance with delays (Hz)."""
    network = fi.make_subject("01", seed=SUBJECT_SEED, anatomy="tiny", n_regions=N_NETWORK).connectome
    weights, parameters = scaled(network.weights, "rows"), fi.MODELS.get("linear").parameters
    exact = (covariance(parameters.parse({"gain": gain}), weights, network.delays(SPEED)) for gain in values.tolist())
    return np.array([np.sqrt(np.diag(matrix)).mean() for matrix in exact])


def hopfield_rate(values: Array) -> Array:
    """Return the rate of a uniform network by coupling, x = G tanh(x), from above and from below (Hz)."""
    x = np.full_like(values, 3.0)
    for _ in range(2000):
        x = values * np.tanh(x)
    return 5.0 * (1 + np.stack([np.tanh(x), -np.tanh(x)]))


SHOWN: dict[str, Shown] = {
    "deco2014": Shown(seconds=5.0),
    "epileptor": Shown(seconds=60.0, zone={"x0": -1.6}),
    "hopfield": Shown(seconds=10.0),
    "linear": Shown(seconds=10.0),
    "netsim": Shown(seconds=60.0),
    "reduced_wong_wang": Shown(seconds=10.0),
}
DIAGRAMS: dict[str, Diagram] = {
    "deco2014": Diagram(
        "G", 0.0, 1.0, "least and greatest rate of regions without noise, with feedback inhibition (black) and without (blue)",
        "rate (Hz)", alone=False,
        branches=(Branch("feedback", {"sigma": 0.0}), Branch("no feedback", {"sigma": 0.0, "feedback_inhibition": False})),
    ),
    "dmf": Diagram(
        "loop_gain", 0.0, 0.95, "mean correlation between regions, of rates in each second", "mean correlation",
        alone=False, taps={"rate": 50.0}, measure=correlation,
    ),
    "epileptor": Diagram(
        "x0", -2.6, -1.2, "least and greatest rate of a region alone, without noise", "rate (Hz)",
        branches=(Branch("", {"K": 0.0, "sigma": 0.0}, {"x1": 0.01}),),
        known=((-2.062, "rest is lost"),),
        source="knee of the fast variables, x1 = -4/3: x0 = x1 - (y0 + I_rest1 - x1^3 - 2 x1^2) / 4",
    ),
    "fitzhugh_nagumo": Diagram(
        "I_ext", 0.0, 1.75, "least and greatest dipole of a region alone, without noise, with the constants of FitzHugh (a 0.7, b 0.8, "
        "phi 0.08)",
        "dipole (nAm/mm2)", taps={"dipole": 250.0},
        branches=(Branch("", {"G": 0.0, "sigma": 0.0, "a": 0.7, "b": 0.8, "phi": 0.08, "tau": 0.0025}, {"v": 0.1}),),
        known=((0.3313, "Hopf bifurcation"), (1.4187, "Hopf bifurcation")),
        source="trace of the Jacobian at rest, 1 - v0^2 = phi b",
    ),
    "hopfield": Diagram(
        "G", 0.0, 3.0, "rates of a network without noise, started above and below", "rate (Hz)", alone=False,
        branches=(Branch("from above", {"sigma": 0.0}, {"x": 0.5}), Branch("from below", {"sigma": 0.0}, {"x": -0.5})),
        known=((1.0, "pitchfork bifurcation"),), source="beta G = 1 for rows that sum to 1",
        theory=hopfield_rate, theory_text="x = G tanh(beta x)",
    ),
    "jansen_rit": Diagram(
        "p", 0.0, 400.0, "least and greatest potential of a column alone, without noise, started at its lowest fixed point "
        "(black) and above it (blue)",
        "potential (mV)", taps={"synaptic": 250.0},
        branches=(
            Branch("from rest", {"G": 0.0, "sigma": 0.0}, {"y1": 0.01}),
            Branch("from above", {"G": 0.0, "sigma": 0.0}, {"y0": 0.1, "y1": 18.5, "y2": 11.8}),
        ),
        known=((89.829, "Hopf bifurcation"), (113.586, "saddle-node"), (315.696, "Hopf bifurcation")),
        source="Grimbert & Faugeras 2006, doi:10.1162/neco.2006.18.12.3052",
    ),
    "kuramoto": Diagram(
        "K", 0.0, 25.0, f"order parameter of {N_ALONE} oscillators, all to all, without noise, their frequencies at the quantiles of a "
        "Lorentzian of half-width 0.5 Hz; so few never add up to nothing, below the onset 0.11 is left",
        "order parameter", alone=False, taps={"cosine": 250.0, "sine": 250.0}, measure=order, all_to_all=True,
        branches=(
            Branch("", {"sigma": 0.0, "distribution": "lorentzian", "placement": "quantiles", "frequency_spread": 0.5}),
        ),
        known=((2 * np.pi, "onset of locking"),), source="Kuramoto 1984, doi:10.1007/978-3-642-69689-3, for many oscillators",
        theory=lambda K: np.sqrt(np.maximum(0.0, 1 - 2 * np.pi / np.maximum(K, 1e-9))), theory_text="sqrt(1 - 2 gamma / K)",
    ),
    "linear": Diagram(
        "gain", 0.0, 0.95, f"SD of the rates of {N_NETWORK} regions", "SD of rate (Hz)", alone=False, taps={"rate": 500.0},
        measure=deviation, theory=linear_deviation, theory_text="the exact covariance with delays",
    ),
    "montbrio_pazo_roxin": Diagram(
        "eta", -8.0, -1.0, "rates of a region alone, without noise, started at its lowest fixed point (black) and above it (blue)",
        "rate (Hz)",
        branches=(Branch("from rest", {"G": 0.0, "sigma": 0.0}), Branch("from above", {"G": 0.0, "sigma": 0.0}, {"r": 95.0, "v": 1.8})),
        known=((-5.7435, "saddle-node"), (-3.1361, "saddle-node")),
        source="extremes of eta = (pi x)^2 - J x - (Delta / (2 pi x))^2 over x = tau r",
    ),
    "netsim": Diagram(
        "gain", 0.0, 0.95, "mean correlation between regions, of rates in each second", "mean correlation",
        alone=False, taps={"rate": 50.0}, measure=correlation,
    ),
    "reduced_wong_wang": Diagram(
        "G", 0.0, 1.2, "rates of a network without noise, started at its lowest state (black) and above it (blue)",
        "rate (Hz)", alone=False,
        branches=(Branch("from rest", {"sigma": 0.0}), Branch("from above", {"sigma": 0.0}, {"S": 0.9})),
        known=((0.2547, "saddle-node"), (0.8977, "saddle-node")),
        source="recomputed for Deco et al. 2013, doi:10.1523/JNEUROSCI.1091-13.2013",
    ),
    "stuart_landau": Diagram(
        "a", -10.0, 10.0, "least and greatest dipole of a region alone, without noise", "dipole (nAm/mm2)", taps={"dipole": 500.0},
        branches=(Branch("", {"G": 0.0, "beta": 0.0}, {"x": 0.1}),), known=((0.0, "Hopf bifurcation"),),
        source="Deco et al. 2017, doi:10.1038/s41598-017-03073-5",
        theory=lambda a: np.outer([-0.3, 0.3], np.sqrt(np.maximum(a, 0.0))), theory_text="kappa sqrt(a)",
    ),
    "wilson_cowan": Diagram(
        "P", 0.2, 3.0, "least and greatest rate of a region alone, without noise",
        "rate (Hz)", taps={"rate": 500.0},
        branches=(Branch("", {"G": 0.0, "sigma": 0.0}, {"E": 0.001}),),
        known=((1.25, "the paper's cycle"),), source="Wilson & Cowan 1972, doi:10.1016/S0006-3495(72)86068-5",
    ),
}  # fmt: skip
