"""A model made ready to run: how it is integrated, its parameter rows, and what its compiled loop needs to know of its linear parts."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import emit, kernels
from fakeimaging.activity.loop import Variant
from fakeimaging.activity.model import STIMULUS, Model, Scheme, Setup
from fakeimaging.core.errors import ModelError
from fakeimaging.core.parameters import Parameters

TINY = 1e-12
"""Shares of a time constant in a step below which a decay counts as this slow: it has a limit there, and 0/0."""
Precision = Literal["float64", "float32"]


@dataclass(frozen=True)
class Method:
    """How a model is integrated.

    Parameters
    ----------
    scheme : {"euler", "heun", "rk4"}
    precision : {"float64", "float32"}
    hold : int
        Steps between two refreshments of the coupling.
    noise_time : float
        Time constant of the noise in s; 0 is white.
    interpolate : bool
        Delays between whole steps, by linear interpolation; else rounded.
    """

    scheme: Scheme = "euler"
    precision: Precision = "float64"
    hold: int = 1
    noise_time: float = 0.0
    interpolate: bool = False

    def __post_init__(self) -> None:
        if self.hold > 1 and self.scheme != "euler":
            raise ModelError("`coupling_interval`: coupling is held between steps under the scheme 'euler' only")


@dataclass(frozen=True, eq=False)
class Kernel:
    """A model with its parameter rows, ready to be compiled.

    Parameters
    ----------
    model : Model
    names : tuple of str
        Parameters and derived constants, in the order of the rows.
    params : ndarray, shape (n_params, n_regions)
    method : Method
    """

    model: Model
    names: tuple[str, ...]
    params: npt.NDArray[np.float64]
    method: Method = Method()

    def module(self, *, delayed: bool, side_by_side: bool, mirrored: bool) -> ModuleType:
        """Return the module that holds ``advance`` for this kind of coupling, from disk when it was compiled before."""
        coloured = self.method.noise_time > 0 and self.model.n_noises > 0
        variant = Variant(self.method.scheme, delayed, side_by_side, mirrored, coloured)
        kind = ["with delays" if delayed else "without delays", *(["side by side"] if side_by_side else [])]
        kind = [self.method.scheme, self.method.precision, *kind, *(["coloured noise"] if coloured else [])]
        return kernels.load(self.model.name, emit.source_of(self.model, self.names, variant), ", ".join(kind))

    def exact(self, step: float) -> npt.NDArray[np.float64]:
        """Return what one step does to the linear parts, shape (4 n_pairs + 3 n_decays, n_regions).

        Of a pair exp(growth h) cos and sin of frequency h, the weight of the noise, right for both states equally shaken, and that
        of the drift, which turns with the pair; of a decay exp(-k h), the weight of the drift, and that of the noise.
        """
        rows = dict(zip(self.names, self.params, strict=True))
        coloured = self.method.noise_time > 0
        parts: list[npt.NDArray] = []
        for pair in self.model.rotating:
            turn = np.exp((rows[pair.growth] + 1j * rows[pair.frequency]) * step)
            twice = 2 * np.where(np.abs(rows[pair.growth]) * step < TINY, TINY / step, rows[pair.growth]) * step
            shaken = np.ones_like(twice) if coloured else np.sqrt(np.expm1(twice) / twice)
            parts += [turn.real, turn.imag, shaken, -2 * np.expm1(-twice / 2) / twice * step]
        for name in self.model.decays.values():
            rate = np.where(np.abs(rows[name]) * step < TINY, TINY / step, rows[name])
            grown = -np.expm1(-rate * step) / rate
            shaken = np.sqrt(-np.expm1(-2 * rate * step) / (2 * rate * step))
            parts += [np.exp(-rate * step), grown, grown / step if coloured else shaken]
        return np.array(parts).reshape(-1, self.params.shape[1])


def build(model: Model, parameters: Parameters, setup: Setup, method: Method | None = None) -> Kernel:
    """Return the kernel of a model for these parameters.

    Raises
    ------
    ModelError
        If a function of the model names or returns what it should not.
    """
    n = len(setup.coupling)
    available = {**{name: getattr(parameters, name) for name in type(parameters).model_fields}, **setup.derived}
    names = emit.parameter_names(model, list(available))
    kernels.gather_straight(model.functions)
    rows = [np.broadcast_to(np.asarray(available[name], dtype=float), (n,)) for name in names]
    params = np.ascontiguousarray(np.stack(rows)) if rows else np.zeros((0, n))
    _check_returns(model, setup, dict(zip(names, params[:, 0].tolist(), strict=True)))
    return Kernel(model, tuple(names), params, method or Method(scheme=model.scheme))


def _check_returns(model: Model, setup: Setup, constants: dict[str, float]) -> None:
    """Call every function once as plain Python, for the first region at the start: each must return as many numbers as it should."""
    given = {state: float(np.ravel(setup.initial.get(state, 0.0))[0]) for state in model.states}
    given |= {f"coupled_{name}": given.get(name, 0.0) for name in model.signals} | constants | {STIMULUS: 0.0}
    wanted = {model.drift: len(model.states)} | ({model.diffusion: len(model.driven)} if model.diffusion else {})
    for function in model.functions:
        name, values = function.__name__, {key: given[key] for key in inspect.signature(function).parameters}
        try:
            result = function(*values.values())
        except ArithmeticError:
            continue
        except (NameError, TypeError, ValueError, LookupError, AttributeError) as error:
            if isinstance(error, TypeError) and "complex" in str(error):
                raise _broken_power(model, name, values) from error
            raise ModelError(f"model {model.name}: `{name}` fails: {type(error).__name__}: {error}") from error
        numbers = result if function in wanted else (result,)
        if isinstance(numbers, tuple) and any(isinstance(value, complex) for value in numbers):
            raise _broken_power(model, name, values)
        if not isinstance(numbers, tuple) or not all(isinstance(value, int | float) for value in numbers):
            raise ModelError(
                f"model {model.name}: `{name}` returns {result!r}, not {'a tuple of numbers' if function in wanted else 'a number'}"
            )
        if len(numbers) != wanted.get(function, 1):
            raise ModelError(
                f"model {model.name}: `{name}` returns {len(numbers)} numbers, and {wanted[function]} are needed"
            )


def _broken_power(model: Model, name: str, values: dict[str, float]) -> ModelError:
    """Return the error for a function whose power with a broken exponent is no real number."""
    below = ", ".join(f"{key} = {value:g}" for key, value in values.items())
    return ModelError(
        f"model {model.name}: `{name}` takes a negative number to a power that is not whole; at the start {below}"
    )


def initial_states(model: Model, setup: Setup) -> npt.NDArray[np.float64]:
    """Return the first value of each state, shape (n_states, n_regions)."""
    state = np.zeros((len(model.states), len(setup.coupling)))
    for name, value in setup.initial.items():
        state[model.states.index(name)] = value
    return state


def first_sent(kernel: Kernel, state: npt.NDArray, params: npt.NDArray) -> npt.NDArray[np.float64]:
    """Return what the first states send, shape (n_signals, n, n_members)."""
    model = kernel.model
    known = dict(zip((*model.states, *kernel.names), (*state, *params), strict=True))
    rows = [state[model.states.index(name)] for name in model.coupled]
    for function in model.sent.values():
        given = {name: known[name] for name in inspect.signature(function).parameters}
        try:
            rows.append(np.vectorize(function, otypes=[float])(*given.values()))
        except TypeError as error:
            lowest = {name: float(np.min(values)) for name, values in given.items()}
            raise _broken_power(model, function.__name__, lowest) from error
    return np.array(rows).reshape(-1, *state.shape[1:])
