"""vbjax: the dynamic mean field in a scan of its `euler_step` with its `make_bold` at 1 ms; `make_sdde`; float32, JAX.

It has no such models of its own, so the drifts are written here. Without delays its single Euler step is used, so that the scheme
is that of the others (`make_sde` knows Heun alone, twice the work). With delays only `make_sdde` is documented: Heun, two
gathers of x and y a step. Delays are cut down to whole steps there, hence half a millimetre on top. Settings are the fastest
of those tried: noise drawn for 100 steps at a time, and runs with delays continued each 100 steps (10,000: ten times slower,
since the buffer is copied each step).
"""

from __future__ import annotations

from common import S_E, S_I, SPEED, START_X, STEP, TR, Run, Task, main  # isort: skip
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib.metadata import version
from io import StringIO
from typing import Any

with redirect_stdout(StringIO()):
    import vbjax as vb
import jax
import jax.numpy as jnp
import numpy as np
from vbjax.loops import euler_step

BLOCK = 100
"""Steps whose noise is drawn at once."""
CHUNK = 10_000
"""Steps of one compiled call without delays, 1 s."""
MS = round(1 / STEP)
"""Steps in 1 ms, one step of BOLD."""
Chunk = Callable[[Any, Any], tuple[Any, Any]]


def prepare(task: Task) -> Run:
    """Compile a piece of a task and repeat it."""
    chunk, carry, n_steps = _hopf(task) if task.case == "hopf_delays" else _deco(task)
    compiled = jax.jit(chunk).lower(carry, jax.random.key(0)).compile()

    def run() -> np.ndarray:
        state, found = carry, []
        for key in jax.random.split(jax.random.key(1), task.n_steps // n_steps):
            state, out = compiled(state, key)
            found.append(np.asarray(out))
        return np.concatenate(found)

    return run


def _response(current: Any, a: float, b: float, d: float) -> Any:
    u = a * current - b
    return u / (1 - jnp.exp(-d * u))


def _deco_drift(weights: Any, coupling: float) -> Callable[..., Any]:
    def drift(state: Any) -> Any:
        gating, inhibition = state
        into = 0.382 + 0.15 * (1.4 * gating + coupling * (weights @ gating)) - inhibition
        r_e = _response(into, 310.0, 125.0, 0.16)
        r_i = _response(0.7 * 0.382 + 0.15 * gating - inhibition, 615.0, 177.0, 0.087)
        return jnp.array([-gating / 100 + (1 - gating) * 0.641e-3 * r_e, -inhibition / 10 + 1e-3 * r_i])

    return drift


def _deco(task: Task) -> tuple[Chunk, Any, int]:
    drift = _deco_drift(jnp.asarray(task.weights, jnp.float32), task.coupling)
    flow, bold_step, bold_sample = vb.make_bold((task.n_regions,), 1e-3, vb.bold_default_theta)
    with_bold = task.case == "deco2014" and not task.record and task.seconds >= TR / 1000
    scale = task.sigma * STEP**0.5

    def step(state: Any, normals: Any) -> tuple[Any, None]:
        return euler_step(state, drift, STEP, add=scale * normals), None

    def millisecond(carry: Any, normals: Any) -> tuple[Any, Any]:
        state, flow = carry
        state, _ = jax.lax.scan(step, state, normals, unroll=MS)
        flow = bold_step(flow, state[0]) if with_bold else flow
        return (state, flow), state[0] if task.record else None

    def block(carry: Any, key: Any) -> tuple[Any, Any]:
        return jax.lax.scan(millisecond, carry, jax.random.normal(key, (BLOCK // MS, MS, 2, task.n_regions)))

    def chunk(carry: Any, key: Any) -> tuple[Any, Any]:
        carry, samples = jax.lax.scan(block, carry, jax.random.split(key, CHUNK // BLOCK))
        return carry, samples.reshape(-1, task.n_regions) if task.record else bold_sample(carry[1])[1][None]

    start = jnp.broadcast_to(jnp.array([[S_E], [S_I]], jnp.float32), (2, task.n_regions))
    return chunk, (start, flow), CHUNK


def _hopf(task: Task) -> tuple[Chunk, Any, int]:
    lengths = task.tract_lengths + 0.5 * (task.tract_lengths > 0)
    helper = vb.make_delay_helper(jnp.asarray(task.weights, jnp.float32), jnp.asarray(lengths), STEP, SPEED)
    arriving, span = jnp.asarray(task.weights.sum(axis=1), jnp.float32), int(helper.max_lag)

    def drift(past: Any, state: Any, t: int, _: Any) -> Any:
        (x, y), sent = state, vb.delay_apply(helper, t, past)[0]
        radial = task.growth - x * x - y * y
        push = task.coupling * (sent - arriving * x)
        return jnp.array([radial * x - task.frequency * y + push, radial * y + task.frequency * x])

    _, loop = vb.make_sdde(STEP, span, drift, task.sigma, unroll=4)
    again = vb.make_continuation(loop, BLOCK, span, task.n_regions, 2)

    def chunk(past: Any, key: Any) -> tuple[Any, Any]:
        past, states = again(past, None, key)
        return past, states[MS - 1 :: MS, 0]

    start = jnp.array([START_X, 0.0], jnp.float32)[None, :, None]
    return chunk, jnp.broadcast_to(start, (span + 1 + BLOCK, 2, task.n_regions)), BLOCK


if __name__ == "__main__":
    main(version("vbjax"), prepare)
