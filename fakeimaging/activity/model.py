"""What a neural mass model is: parameters, states, drift, diffusion and observables, as plain functions of one region.

The functions name what they need by argument: a state, a parameter, a constant that `prepare` derived, or
``coupled_<name>``, the sum over the sources of weight times what they sent a delay ago (a state, or a function of their states),
or ``stimulus``, what the conditions of the run put into the region (0 when there is none).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import ModelError, did_you_mean
from fakeimaging.core.parameters import Parameters
from fakeimaging.structure.subject import Subject

Calculus = Literal["ito", "stratonovich"]
Scheme = Literal["euler", "heun", "rk4"]
STIMULUS = "stimulus"
"""The argument by which a model function reads the stimulus."""


@dataclass(frozen=True)
class Observable:
    """Something a model shows of itself: a function of one region, its unit, and the rate it is recorded at.

    Parameters
    ----------
    function : callable
        Returns one number from states, parameters and coupling.
    unit : str
        SI unit of that number.
    rate : float
        Samples per second; each sample is the mean over its interval.
    past : bool
        Whether the warm-up before t = 0 is kept: blood flow looks back on it, electrodes do not.
    """

    function: Callable[..., float]
    unit: str
    rate: float
    past: bool = True


@dataclass(frozen=True)
class Rotation:
    """Two states that turn around each other, z = x + i y: dz = (growth + i frequency) z + what `drift` returns for them.

    Under euler the engine takes this linear part in exact steps, so that a fast rhythm keeps its frequency and damping at any
    step; heun and rk4 add it to the drift. Leave it out of ``drift``.

    Parameters
    ----------
    real, imaginary : str
        States x and y.
    growth, frequency : str
        Parameters or derived constants, in 1/s and rad/s.
    """

    real: str
    imaginary: str
    growth: str
    frequency: str

    @property
    def states(self) -> tuple[str, str]:
        """Both states."""
        return self.real, self.imaginary


@dataclass(frozen=True, eq=False)
class Setup:
    """What a model derives from its parameters and a subject before it runs.

    Parameters
    ----------
    coupling : ndarray, shape (n_regions, n_regions)
        Effective weights, row receives.
    initial : mapping of str to float or ndarray of shape (n_regions,)
        First value of each state; 0 where left out. The past before the start is constant.
    derived : mapping of str to float or ndarray of shape (n_regions,)
        More constants that the functions may name.
    truth : mapping of str to ndarray, shape (n_regions, ...)
        What of it is worth knowing afterwards; goes into the activity's truth.
    """

    coupling: npt.NDArray[np.float64]
    initial: Mapping[str, Any] = field(default_factory=dict)
    derived: Mapping[str, Any] = field(default_factory=dict)
    truth: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)


def plain_setup(parameters: Any, subject: Subject, step: float) -> Setup:
    """Couple by the weights as they are and start from zero."""
    return Setup(subject.connectome.weights)


@dataclass(frozen=True)
class Model:
    """A neural mass.

    Parameters
    ----------
    name : str
    parameters : type of Parameters
        Its parameter class.
    states : tuple of str
        State variables, in the order ``drift`` returns them.
    coupled : tuple of str
        States that are sent along the tracts as they are, with delays.
    sent : mapping of str to callable
        What else is sent: functions of the sender's states, parameters and derived constants. Both arrive as ``coupled_<name>``.
    drift : callable
        Returns the time derivatives (1/s), one for each state.
    driven : tuple of (state, i)
        Which states noise drives, and which independent Wiener process drives each.
    diffusion : callable
        Returns the amplitude of each driven state (state unit per square root of second).
    calculus : {"ito", "stratonovich"}
        How to read an amplitude that depends on the state; every scheme keeps to it.
    observables : mapping of str to Observable
        The taps of an Activity; ``"rate"`` (Hz) is what instruments of blood and metabolism read.
    prepare : callable
        ``prepare(parameters, subject, step) -> Setup``; the subject has the connectome, the regions with their kinds and
        places, and random streams.
    rotating : tuple of Rotation
        Pairs of states whose linear part takes exact steps.
    decays : mapping of state to rate
        States with a linear part -k x, left out of ``drift`` and taken in exact steps under euler; k is a parameter or derived
        constant (1/s).
    modes : Model, optional
        The local dynamics linearised around the working point, uncoupled and with the same parameter class: deviations of
        observables, at the same rates, that the parts of a region show against each other.
    white_only : bool
        Whether its noise cannot have a time constant, and no scheme but its own will do.
    limits : mapping of str to (low, high)
        States that are held within a range after each step.
    angles : tuple of str
        States in rad that are kept within half a turn of 0.
    uniform : tuple of str
        Parameters that hold for the whole network, so that they cannot differ between regions.
    stimulus_unit : str
        Unit of what functions read as ``stimulus``.
    largest_stimulus : float
        Largest amplitude, either way, that a condition may have.
    scheme : {"euler", "heun", "rk4"}
        Default integrator.
    step : float
        Default time step in seconds.
    transient : float
        Seconds to drop at the start, by default.
    references : tuple of Reference
    """

    name: str
    parameters: type[Parameters]
    states: tuple[str, ...]
    drift: Callable[..., tuple[float, ...]]
    observables: Mapping[str, Observable]
    coupled: tuple[str, ...] = ()
    sent: Mapping[str, Callable[..., float]] = field(default_factory=dict)
    driven: tuple[tuple[str, int], ...] = ()
    diffusion: Callable[..., tuple[float, ...]] | None = None
    calculus: Calculus = "ito"
    prepare: Callable[[Any, Subject, float], Setup] = plain_setup
    rotating: tuple[Rotation, ...] = ()
    decays: Mapping[str, str] = field(default_factory=dict)
    modes: Model | None = None
    white_only: bool = False
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    angles: tuple[str, ...] = ()
    uniform: tuple[str, ...] = ()
    stimulus_unit: str = "nA"
    largest_stimulus: float = 0.2
    scheme: Scheme = "euler"
    step: float = 1e-3
    transient: float = 10.0
    references: tuple[Reference, ...] = ()

    def __post_init__(self) -> None:
        self._check_forms()
        turning = [*(state for pair in self.rotating for state in pair.states), *self.decays]
        driven = (state for state, _ in self.driven)
        for name in (*self.coupled, *driven, *turning, *self.limits, *self.angles):
            if name not in self.states:
                raise ModelError(f"model {self.name}: '{name}' is not a state{did_you_mean(name, self.states)}")
        for name in self.uniform:
            if name not in self.parameters.model_fields:
                known = did_you_mean(name, self.parameters.model_fields)
                raise ModelError(f"model {self.name}: '{name}' is not a parameter{known}")
        if bool(self.driven) != (self.diffusion is not None):
            raise ModelError(f"model {self.name}: `driven` and `diffusion` come together")
        if len(set(turning)) < len(turning):
            raise ModelError(f"model {self.name}: a state turns in one pair, or decays, only once")
        for name in set(self.sent) & set(self.states):
            raise ModelError(
                f"model {self.name}: '{name}' is a state; send it by `coupled`, or name the function otherwise"
            )

    def _check_forms(self) -> None:
        """Check what a model's tables hold, whatever names are in them."""
        for pair in self.driven:
            if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[1], int):
                raise ModelError(
                    f"model {self.name}: `driven` holds pairs of a state and the number of its noise, such as ('x', 0), not {pair!r}"
                )
        for state, rate in self.decays.items():
            if not isinstance(rate, str):
                raise ModelError(
                    f"model {self.name}: `decays`: {state} decays at {rate!r}; name a parameter or a constant that `prepare` derives"
                )
        for state, held in self.limits.items():
            if not isinstance(held, tuple | list) or len(held) != 2 or not held[0] < held[1]:
                raise ModelError(
                    f"model {self.name}: `limits`: {state} within {held!r}; give (low, high), low below high"
                )

    @property
    def n_noises(self) -> int:
        """Number of independent Wiener processes in a region."""
        return 1 + max((process for _, process in self.driven), default=-1)

    @property
    def functions(self) -> list[Callable[..., Any]]:
        """Every function that is compiled."""
        noise = [self.diffusion] if self.diffusion is not None else []
        taps = [observable.function for observable in self.observables.values()]
        return [self.drift, *noise, *self.sent.values(), *taps]

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of everything that is sent: the coupled states, then the functions."""
        return (*self.coupled, *self.sent)

    def arguments(self) -> list[str]:
        """Return every name the functions and the linear parts ask for, sorted."""
        turning = {name for pair in self.rotating for name in (pair.growth, pair.frequency)} | set(self.decays.values())
        return sorted(
            turning | {name for function in self.functions for name in inspect.signature(function).parameters}
        )

    @property
    def takes_stimulus(self) -> bool:
        """Whether a function reads the stimulus."""
        return STIMULUS in self.arguments()

    @property
    def stimulus_range(self) -> str:
        """Unit and largest amplitude of its stimulus, in words."""
        if not self.takes_stimulus:
            return "takes none"
        unit = "without unit" if self.stimulus_unit == "1" else f"in {self.stimulus_unit}"
        return f"{unit}, up to {self.largest_stimulus:g}"
