"""The step loop of a model as source text, in registers of regions (`simd`), for one scheme and one kind of coupling.

With f the drift, g the amplitudes, dW the noise of a step h and c the coupling:

    euler  x' = x + h f(x) + g dW                                                     (Maruyama 1955)
    heun   y = x + h f(x) + g dW,   x' = x + h / 2 (f(x) + f(y)) + g dW
    rk4    the classical four stages for h f, then + g dW

g is g(x) for Ito; for Stratonovich (g(x) + g(x + g(x) dW)) / 2 (Kloeden & Platen 1992, doi:10.1007/978-3-662-12616-5).
Strong order is 1/2 for Ito amplitudes that depend on the state, else 1; without noise 1, 2 and 4. Under euler linear parts take exact
steps: a rotating pair z' = exp((a + i w) h) (z + (1 - exp(-a h)) / a f), f turning with it (after Lawson 1967,
doi:10.1137/0704033), a decay x' = E x + (1 - E) / k f, E = exp(-k h), both with noise of the exact variance, (exp(2 a h) - 1) /
2a and (1 - E^2) / 2k; heun and rk4 add them to f. Coloured noise is white noise through a one-pole filter, held for a step: g times
it times h takes the place of g dW (and of a decay's drift under euler): the equation is then an ordinary one, whose limit is
Stratonovich's (Wong & Zakai 1965, doi:10.1214/aoms/1177699916).

What ``advance`` carries: state (n_states, room) and, of all rows, room cells of which the first n * n_sims count; params and exact
(constants, linear parts); wires and past (`network`); sent, what is sent now or was lately; received (n_signals, room); words
(4, room), the generators; spare, the second normal of a pair; colour (n_noises, room) and tint, coloured noise and its filter; every,
steps in a sample of each tap, and sums (n_taps, room); gain (n_courses, room) and course (n_courses, n_steps + 1), the stimuli; taps.

Stages between two steps read delayed coupling halfway between its values there (second order). One function, ``advance``, steps a block
and carries everything on in its arrays. ``now`` counts steps from the very start; the first ``dropped`` of them fill no tap. The
result does not depend on how a run is cut into blocks.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from fakeimaging.activity import kernels
from fakeimaging.activity.loop import Loop, Variant
from fakeimaging.activity.model import STIMULUS, Model
from fakeimaging.core.errors import ModelError, did_you_mean

IMPORTS = """from fakeimaging.activity.simd.functions import (
    cos, exp, expm1, fabs, floor, lanewise, log, power, sin, sqrt, tanh,
)
from fakeimaging.activity.simd.random import normal_pair
from fakeimaging.activity.simd.sums import (
    add_now, add_short, gather_long, remember, take_step, weigh, weigh_mirrored, weigh_side_by_side,
)
from fakeimaging.activity.simd.vectors import both, either, lanes, load, negation, select, store, truth
"""

LOOP = """
{decorator}
def advance(
    n_steps, done, dropped, step, hold, n, n_sims, state, params, exact, wires, sent, past, received, words, spare, colour,
    tint, every, sums, gain, course, taps,
):
    room, lane = state.shape[1], lanes(state)
    n_cells = (n * n_sims + lane - 1) // lane * lane
    root_step = math.sqrt(step)
    stimuli = np.zeros(room, state.dtype)
{scratch}
    shares = np.zeros(len(every), dtype=state.dtype)
    for k in range(len(every)):
        shares[k] = 1.0 / every[k]
    written = np.zeros(len(every), dtype=np.int64)
    for now in range(done, done + n_steps):
{stages}
{memory}
        for k in range(len(every)):
            if now >= dropped and (now + 1 - dropped) % every[k] == 0:
                for i in range(0, n_cells, lane):
                    store(taps[k], written[k] * room + i, load(sums, k * room + i) * shares[k])
                    store(sums, k * room + i, 0.0)
                written[k] += 1
"""


def parameter_names(model: Model, available: Sequence[str]) -> list[str]:
    """Return the parameters and derived constants a model's functions ask for, in the order of the kernel's rows.

    Raises
    ------
    ModelError
        If a function asks for something that is not a state, a parameter, a derived constant, ``coupled_<name>`` or ``stimulus``.
    """
    given = {*model.states, *(f"coupled_{name}" for name in model.signals), STIMULUS}
    wanted = [name for name in model.arguments() if name not in given]
    for name in wanted:
        if name not in available:
            hint = did_you_mean(name, {*available, *given})
            raise ModelError(
                f"model {model.name}: a function asks for '{name}', which is no state or parameter{hint}", value=name
            )
    for function in model.sent.values():
        for name in inspect.signature(function).parameters:
            if name not in {*model.states, *wanted}:
                raise ModelError(
                    f"model {model.name}: `{function.__name__}` asks for '{name}'; what is sent is made of the sender's states "
                    "and parameters",
                    value=name,
                )
    return wanted


def source_of(model: Model, names: Sequence[str], variant: Variant) -> str:
    """Return the whole kernel module of a model whose parameter rows are ``names``."""
    writer = Loop(model, tuple(names), variant)
    loop = LOOP.format(
        decorator=kernels.DECORATOR,
        scratch=_indented(4, writer.scratch()),
        stages=_indented(8, [line for k in range(len(variant.stages)) for line in writer.stage(k)]),
        memory=_indented(8, writer.memory()),
    )
    return "\n\n".join((kernels.HEADER + IMPORTS, kernels.gather_straight(model.functions), loop))


def _indented(width: int, lines: Sequence[str]) -> str:
    return "\n".join(" " * width + line for line in lines or ["pass"])
