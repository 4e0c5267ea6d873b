"""The compiled loop of NetSim: a linear network in exact steps, and the balloon model of each node.

    ds/dt = z - kappa s - gamma (f - 1)     dg/dt = s     f = g held within 1/8 to 8
    tau dv/dt = f - v^(1/alpha)             tau dq/dt = f (1 - (1 - E0)^(1/f)) / E0 - v^(1/alpha) q / v

Nothing in the equations for s and f keeps flow above 0: a strong input that ends can take it there in finite time. The authors'
program holds the flow that its rates see within 1/8 and 8 (model.cc, same place as the cases' script) while its logarithm runs on; g
is that logarithm continued as a straight line outside these bounds, so the two are the same, and no logarithm is left to blow up.
Heun steps for s and g; exponential steps of second order for v and q, which stay above 0 at any step and transit time.
"""

from __future__ import annotations

import math

LOWEST = 1 / 8
HIGHEST = 8.0
"""Bounds of the relative flow (model.cc)."""
V0 = 4.0
"""Resting volume fraction in percent (model.cc)."""


def delivered(f, E0, log_left):  # type: ignore[no-untyped-def]
    """Oxygen delivered relative to rest; ``log_left`` is log(1 - E0)."""
    return f * (1.0 - math.exp(log_left / f)) / E0


def held_flow(g):  # type: ignore[no-untyped-def]
    """Relative flow."""
    return min(max(g, LOWEST), HIGHEST)


def changed(x):  # type: ignore[no-untyped-def]
    """exp(-x), (1 - exp(-x)) / x and (exp(-x) - 1 + x) / x^2, the weights of an exponential step; below 1 by Pade's fraction, to 1e-5."""
    if x < 1.0:
        square = x * x
        over = 1.0 / (120.0 + 60.0 * x + (12.0 + x) * square)
        return (
            (120.0 - 60.0 * x + (12.0 - x) * square) * over,
            (120.0 + 2.0 * square) * over,
            (60.0 + 10.0 * x + square) * over,
        )
    decay = math.exp(-x)
    first = (1.0 - decay) / x
    return decay, first, (1.0 - first) / x


def blood_step(blood, constants, i, before, after, step):  # type: ignore[no-untyped-def]
    """Take node i's s, g, v, q, v^(1/alpha - 1) and oxygen delivered one step on, its drive going from ``before`` to ``after``."""
    s, g, v, q, thin, oxygen = blood[0, i], blood[1, i], blood[2, i], blood[3, i], blood[4, i], blood[5, i]
    kappa, gamma, tau, alpha = constants[0, i], constants[1, i], constants[2, i], constants[3, i]
    f = held_flow(g)
    rise = before - kappa * s - gamma * (f - 1.0)
    ahead = s + step * rise
    blood[0, i] = s + step * (rise + after - kappa * ahead - gamma * (held_flow(g + step * s) - 1.0)) / 2.0
    blood[1, i] = g + step * (s + ahead) / 2.0
    f_next = held_flow(blood[1, i])
    _, first, second = changed(step * thin / (alpha * tau))
    v += step / tau * (first * (f - v * thin) + second * (f_next - f))
    thin_next = math.exp((1.0 / alpha - 1.0) * math.log(v))
    oxygen_next = delivered(f_next, constants[4, i], constants[5, i])
    decay, first, second = changed(step * (thin + thin_next) / (2.0 * tau))
    blood[2, i], blood[4, i], blood[5, i] = v, thin_next, oxygen_next
    blood[3, i] = q * decay + step / tau * (first * oxygen + second * (oxygen_next - oxygen))


def percent(v, q, E0):  # type: ignore[no-untyped-def]
    """BOLD change in percent (Friston et al. 2003)."""
    return V0 * (7.0 * E0 * (1.0 - q) + 2.0 * (1.0 - q / v) + (2.0 * E0 - 0.2) * (1.0 - v))


def blood_steps(state, z, blood, constants, step, volume, bold):  # type: ignore[no-untyped-def]
    """Take all nodes one step on, their drive from z to ``state``, and keep the BOLD if a volume is due."""
    for i in range(z.shape[0]):
        blood_step(blood, constants, i, z[i], state[i], step)
        z[i] = state[i]
        if volume >= 0:
            bold[volume, i] = percent(blood[2, i], blood[3, i], constants[4, i])


def turn(place, switches, n_parts, moved, held, levels, jumps):  # type: ignore[no-untyped-def]
    """Turn the inputs that turn in this step: what they add by its end, and from then on in each."""
    while place[1] < switches.shape[0] and switches[place[1], 0] < (place[0] + 1) * n_parts:
        part, j, sign = switches[place[1], 0] - place[0] * n_parts, switches[place[1], 1], switches[place[1], 2]
        levels[j] += sign
        for i in range(held.shape[0]):
            moved[i] += sign * jumps[part, j, i]
            held[i] += sign * jumps[0, j, i]
        place[1] += 1


def gated(n, state, moved, levels, gates, gate, gate_noise, normals, t):  # type: ignore[no-untyped-def]
    """Add what inputs do to connections: those of state beyond n are what Gaussian inputs have beside their mean."""
    n_states = state.shape[0]
    for k in range(gates.shape[0]):
        level = levels[gates[k, 2]] + gate_noise * normals[t, n_states + k]
        if n_states > n:
            level += state[n + gates[k, 2]]
        moved[gates[k, 0]] += gate * level * state[gates[k, 1]]


def advance_netsim(  # type: ignore[no-untyped-def]
    normals, place, switches, n_parts, state, held, levels, transition, spread, jumps,
    gates, gate, gate_noise, z, blood, constants, every, step, per_volume, bold,
):  # fmt: skip
    """Run over ``len(normals)`` steps of the network, a step of the blood after each ``every`` of them.

    All but normals, tables and constants is carried on from call to call. ``place`` counts steps and switches done; transition,
    spread and jumps have their last two axes turned, so that what one state or input changes lies together.
    """
    n, n_states = z.shape[0], state.shape[0]
    moved = state.copy()
    for t in range(normals.shape[0]):
        for i in range(n_states):
            moved[i] = held[i]
        turn(place, switches, n_parts, moved, held, levels, jumps)
        for j in range(n_states):
            value, normal = state[j], normals[t, j]
            for i in range(n_states):
                moved[i] += transition[j, i] * value + spread[j, i] * normal
        gated(n, state, moved, levels, gates, gate, gate_noise, normals, t)
        for i in range(n_states):
            state[i] = moved[i]
        place[0] += 1
        if place[0] % every == 0:
            volume = place[0] // every // per_volume - 1 if place[0] % (every * per_volume) == 0 else -1
            blood_steps(state, z, blood, constants, step, volume, bold)
