"""The step loop of a model as source text: Euler-Maruyama (Ito), delayed coupling from a ring of past states, taps as means.

One function, ``advance``, steps a block and carries everything on in its arrays: states, history, generators, the second
normal of a pair, tap sums. ``now`` counts steps from the very start; the first ``dropped`` of them fill no tap. The
result therefore does not depend on how a run is cut into blocks. Sums run in a fixed order in float64, without fast-math.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from fakeimaging.activity import kernels
from fakeimaging.activity.model import Model
from fakeimaging.core.errors import ModelError, did_you_mean

GENERATOR = f'''
R23, R41, R17, R45, R19, R11 = (np.uint64(n) for n in (23, 41, 17, 45, 19, 11))
TO_UNIT = 1.0 / 9007199254740992.0


{kernels.DECORATOR}
def next_uint64(words):
    """xoshiro256++ (Blackman and Vigna 2021, doi:10.1145/3460772)."""
    s0, s1, s2, s3 = words[0], words[1], words[2], words[3]
    total = s0 + s3
    result = ((total << R23) | (total >> R41)) + s0
    shifted = s1 << R17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    words[0], words[1], words[2], words[3] = s0, s1, s2, (s3 << R45) | (s3 >> R19)
    return result


{kernels.DECORATOR}
def normal_pair(words):
    """Two independent standard normals (Box and Muller 1958)."""
    u = (float(next_uint64(words) >> R11) + 1.0) * TO_UNIT
    v = float(next_uint64(words) >> R11) * TO_UNIT
    radius = math.sqrt(-2.0 * math.log(u))
    return radius * math.cos(2.0 * math.pi * v), radius * math.sin(2.0 * math.pi * v)
'''

LOOP = """
{decorator}
def advance(n_steps, done, dropped, step, state, params, first, source, weight, lag, history, words, spare, every, sums, taps):
    n_coupled, n, length = history.shape
    root_step = math.sqrt(step)
    coupled = np.zeros((n_coupled, n))
    normals = np.zeros(({n_noises}, n))
    written = np.zeros(len(every), dtype=np.int64)
    for now in range(done, done + n_steps):
        head = now % length
        for c in range(n_coupled):
            for i in range(n):
                total = 0.0
                for e in range(first[i], first[i + 1]):
                    slot = head - lag[e]
                    if slot < 0:
                        slot += length
                    total += weight[e] * history[c, source[e], slot]
                coupled[c, i] = total
        for i in range(n):
            for w in range(0, {n_noises} - 1, 2):
                normals[w, i], normals[w + 1, i] = normal_pair(words[i])
            if {n_noises} % 2 == 1 and now % 2 == 0:
                normals[{n_noises} - 1, i], spare[i] = normal_pair(words[i])
            elif {n_noises} % 2 == 1:
                normals[{n_noises} - 1, i] = spare[i]
        head = (now + 1) % length
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
        If a function asks for something that is not a state, a parameter, a derived constant or ``coupled_<state>``.
    """
    given = {*model.states, *(f"coupled_{state}" for state in model.coupled)}
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
    body = "\n".join(f"            {line}" for line in _node_update(model, names))
    loop = LOOP.format(decorator=kernels.DECORATOR, n_noises=model.n_noises, body=body)
    return "\n\n".join((kernels.HEADER, kernels.gather(model.functions), GENERATOR, loop))


def _node_update(model: Model, names: Sequence[str]) -> list[str]:
    """Lines that take region i one step on; generated names start with an underscore."""
    lines = [f"{state} = state[{row}, i]" for row, state in enumerate(model.states)]
    lines += [f"coupled_{state} = coupled[{row}, i]" for row, state in enumerate(model.coupled)]
    lines += [f"{name} = params[{row}, i]" for row, name in enumerate(names)]
    for row, observable in enumerate(model.observables.values()):
        lines.append(f"sums[{row}, i] += {_call(observable.function)}")
    lines.append(f"_drift = {_call(model.drift)}")
    if model.diffusion is not None:
        lines.append(f"_amplitude = {_call(model.diffusion)}")
    lines += [_update(model, row, state) for row, state in enumerate(model.states)]
    return lines + [f"history[{c}, i, head] = state[{model.states.index(s)}, i]" for c, s in enumerate(model.coupled)]


def _call(function: Callable[..., Any]) -> str:
    return f"{function.__name__}({', '.join(inspect.signature(function).parameters)})"


def _update(model: Model, row: int, state: str) -> str:
    terms = f"state[{row}, i] = {state} + step * _drift[{row}]"
    for k, (driven, process) in enumerate(model.driven):
        if driven == state:
            terms += f" + root_step * _amplitude[{k}] * normals[{process}, i]"
    return terms
