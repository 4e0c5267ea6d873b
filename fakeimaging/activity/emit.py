"""The step loop of a model as source text: Euler-Maruyama (Ito), delayed coupling from a ring of past states, taps as means.

The linear part of a rotating pair z = x + i y takes an exact step: z(t + h) = exp((a + i w) h) (z(t) + h N(t)) + noise, N what
`drift` returns (Lawson 1967, doi:10.1137/0704033).

One function, ``advance``, steps a block and carries everything on in its arrays: states, history, generators, the second
normal of a pair, tap sums. ``now`` counts steps from the very start; the first ``dropped`` of them fill no tap. The
result therefore does not depend on how a run is cut into blocks. Sums run in a fixed order in float64, without fast-math.

The ring holds each state twice, one length apart, so that `CHUNK` steps from any slot on lie side by side: edges with a delay
of at least that many steps are read once for all of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from fakeimaging.activity import kernels
from fakeimaging.activity.generator import GENERATOR
from fakeimaging.activity.model import STIMULUS, Model, Rotation
from fakeimaging.core.errors import ModelError, did_you_mean

CHUNK = 4
"""Steps for which long delays are summed in one pass over the edges: four of them fill a register of the processor."""

LOOP = """
{constants}

{decorator}
def advance(
    n_steps, done, dropped, step, state, params, turn, first, short, source, weight, lag, history, words, spare, every, sums,
    gain, course, taps,
):
    n, length = history.shape[1], np.uint64(history.shape[2] // 2)
    root_step = math.sqrt(step)
    coupled = np.zeros((history.shape[0], {chunk}, n))
    received = np.zeros((history.shape[0], n))
    normals, room = np.zeros(({n_noises}, n)), np.zeros((4, n))
    stimuli = np.zeros(n)
    written = np.zeros(len(every), dtype=np.int64)
    for start in range(done, done + n_steps, {chunk}):
        head = np.uint64(start) % length
        for i in range(n):
{sums_of_long_delays}
        for now in range(start, min(start + {chunk}, done + n_steps)):
            head = np.uint64(now) % length
            for i in range(n):
{sums_of_short_delays}
{noise}
            if len(gain) > 0:
                stimuli[:] = 0.0
                for k in range(len(gain)):
                    strength = course[k, now - done]
                    if strength != 0.0:
                        for i in range(n):
                            stimuli[i] += gain[k, i] * strength
            head = np.uint64(now + 1) % length
            for i in range(n):
{body}
            for k in range(len(every)):
                if now >= dropped and (now + 1 - dropped) % every[k] == 0:
                    for i in range(n):
                        taps[k][written[k], i] = sums[k, i] / every[k]
                        sums[k, i] = 0.0
                    written[k] += 1
"""


def parameter_names(model: Model, available: Sequence[str]) -> list[str]:
    """Return the parameters and derived constants a model's functions ask for, in the order of the kernel's rows.

    Raises
    ------
    ModelError
        If a function asks for something that is not a state, a parameter, a derived constant, ``coupled_<state>`` or ``stimulus``.
    """
    given = {*model.states, *(f"coupled_{state}" for state in model.coupled), STIMULUS}
    wanted = [name for name in model.arguments() if name not in given]
    for name in wanted:
        if name not in available:
            hint = did_you_mean(name, {*available, *given})
            raise ModelError(
                f"model {model.name}: a function asks for '{name}', which is no state or parameter{hint}", value=name
            )
    return wanted


def source_of(model: Model, names: Sequence[str]) -> str:
    """Return the whole kernel module of a model whose parameter rows are ``names``."""
    loop = LOOP.format(
        constants="\n".join(f"U{k} = np.uint64({k})" for k in range(CHUNK)),
        decorator=kernels.DECORATOR,
        chunk=CHUNK,
        n_noises=model.n_noises,
        noise=_indented(12, _noise(model.n_noises)),
        sums_of_long_delays=_indented(12, _long_delays(model)),
        sums_of_short_delays=_indented(16, _short_delays(model)),
        body=_indented(16, _node_update(model, names)),
    )
    return "\n\n".join((kernels.HEADER, kernels.gather(model.functions), GENERATOR, loop))


def _indented(width: int, lines: Sequence[str]) -> str:
    return "\n".join(" " * width + line for line in lines or ["pass"])


def _long_delays(model: Model) -> list[str]:
    """Lines that sum, for region i, what arrives in the next steps over delays of at least as many."""
    if not model.coupled:
        return []
    names = [(c, k, f"sum_{c}_{k}") for c in range(len(model.coupled)) for k in range(CHUNK)]
    lines = [f"{name} = 0.0" for _, _, name in names]
    lines += ["for e in range(first[i], short[i]):", "    slot = head + length - lag[e]", "    if slot >= length:"]
    lines += ["        slot -= length", "    w, j = weight[e], source[e]"]
    lines += [f"    {name} += w * history[{c}, j, slot + U{k}]" for c, k, name in names]
    return lines + [f"coupled[{c}, {k}, i] = {name}" for c, k, name in names]


def _short_delays(model: Model) -> list[str]:
    """Lines that add the rest: delays shorter than a chunk, in a fixed order after the long ones."""
    lines = [f"sum_{c} = coupled[{c}, now - start, i]" for c in range(len(model.coupled))]
    if not lines:
        return []
    lines += ["for e in range(short[i], first[i + 1]):", "    slot = head + length - lag[e]", "    if slot >= length:"]
    lines += ["        slot -= length"]
    lines += [f"    sum_{c} += weight[e] * history[{c}, source[e], slot]" for c in range(len(model.coupled))]
    return lines + [f"received[{c}, i] = sum_{c}" for c in range(len(model.coupled))]


def _noise(n_noises: int) -> list[str]:
    """Lines that draw the normals of a step; of an odd number the last is one half of a pair, the other half is the next step's."""
    lines = [f"normal_pairs(words, room, normals[{w}], normals[{w + 1}])" for w in range(0, n_noises - 1, 2)]
    if n_noises % 2 == 0:
        return lines
    lines += ["if now % 2 == 0:", f"    normal_pairs(words, room, normals[{n_noises - 1}], spare)"]
    return [*lines, "else:", f"    normals[{n_noises - 1}, :] = spare"]


def _node_update(model: Model, names: Sequence[str]) -> list[str]:
    """Lines that take region i one step on; what the model names is called ``its_<name>``, so that it meets none of the loop's own."""
    lines = [f"its_{state} = state[{row}, i]" for row, state in enumerate(model.states)]
    lines += [f"its_coupled_{state} = received[{row}, i]" for row, state in enumerate(model.coupled)]
    lines += [f"its_{name} = params[{row}, i]" for row, name in enumerate(names)]
    lines += [f"its_{STIMULUS} = stimuli[i]"] if model.takes_stimulus else []
    for row, observable in enumerate(model.observables.values()):
        lines.append(f"sums[{row}, i] += {_call(observable.function)}")
    lines.append(f"drifts = {_call(model.drift)}")
    if model.diffusion is not None:
        lines.append(f"amplitudes = {_call(model.diffusion)}")
    for pair, rotation in enumerate(model.rotating):
        lines += _turn(model, pair, rotation)
    lines += [_update(model, row, state) for row, state in enumerate(model.states)]
    for c, state in enumerate(model.coupled):
        for slot in ("head", "head + length"):
            lines.append(f"history[{c}, i, {slot}] = state[{model.states.index(state)}, i]")
    return lines


def _call(function: Callable[..., Any]) -> str:
    return f"{function.__name__}({', '.join(f'its_{name}' for name in inspect.signature(function).parameters)})"


def _turn(model: Model, pair: int, rotation: Rotation) -> list[str]:
    """Lines that take a rotating pair one step on, its noise apart."""
    x, y = f"its_{rotation.real}", f"its_{rotation.imaginary}"
    cosine, sine = f"turn[{2 * pair}, i]", f"turn[{2 * pair + 1}, i]"
    lines = [f"its_{state} += step * drifts[{model.states.index(state)}]" for state in rotation.states]
    return [*lines, f"{x}, {y} = {cosine} * {x} - {sine} * {y}, {sine} * {x} + {cosine} * {y}"]


def _update(model: Model, row: int, state: str) -> str:
    turned = any(state in rotation.states for rotation in model.rotating)
    terms = f"state[{row}, i] = its_{state}" + ("" if turned else f" + step * drifts[{row}]")
    for k, (driven, process) in enumerate(model.driven):
        if driven == state:
            terms += f" + root_step * amplitudes[{k}] * normals[{process}, i]"
    return terms
