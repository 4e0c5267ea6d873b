"""The Balloon-Windkessel model in compiled code: Heun steps on logarithms, shorter ones where flow changes fast.

    ds/dt = z - kappa s - gamma (f - 1)      df/dt = s      tau dv/dt = f - v^(1/alpha)
    tau dq/dt = f (1 - (1 - E0)^(1/f)) / E0 - v^(1/alpha) q / v

f follows a linear equation, so that a drive far below -gamma, or the undershoot after a strong one, takes it through 0, where its
logarithm ends. Vessels do not close: flow is held at `LEAST`, and its signal s does not fall there.
"""

from __future__ import annotations

import math

LEAST = 0.01
"""Smallest relative flow (assumed)."""
LOG_LEAST = math.log(LEAST)
"""Its logarithm."""
LONGEST = 0.5
"""Longest step over the time in which a state changes or forgets: Heun steps are stable below 2."""
SHORTEST = 1e-3
"""Shortest step over that of the drive."""


def log_rates(s, x, u, p, drive, kappa, gamma, tau, alpha, E0):  # type: ignore[no-untyped-def]
    """Time derivatives of s and of the logarithms of flow, volume and deoxyhemoglobin, and how fast volume forgets (1/s)."""
    f, v, q = math.exp(x), math.exp(u), math.exp(p)
    outflow = v ** (1.0 / alpha)
    extraction = (1.0 - (1.0 - E0) ** (1.0 / f)) / E0
    return (
        drive - kappa * s - gamma * (f - 1.0),
        s / f,
        (f - outflow) / (tau * v),
        (f * extraction - outflow * q / v) / (tau * q),
        outflow / (alpha * tau * v),
    )


def in_parts(s, x, u, p, before, after, step, kappa, gamma, tau, alpha, E0):  # type: ignore[no-untyped-def]
    """States after one step in several; the drive goes from ``before`` to ``after`` on a line."""
    left = step
    while left > 0.0:
        if x <= LOG_LEAST:
            s = max(s, 0.0)
        drive = after - (after - before) * left / step
        ds, dx, du, dp, forgets = log_rates(s, x, u, p, drive, kappa, gamma, tau, alpha, E0)
        fastest = max(abs(dx), abs(du), abs(dp), forgets, LONGEST / step)
        part = min(left, max(LONGEST / fastest, SHORTEST * step))
        left -= part
        drive = after - (after - before) * left / step
        es, ex, eu, ep, _ = log_rates(
            s + part * ds, x + part * dx, u + part * du, p + part * dp, drive, kappa, gamma, tau, alpha, E0
        )
        s += part * (ds + es) / 2.0
        x = max(x + part * (dx + ex) / 2.0, LOG_LEAST)
        u += part * (du + eu) / 2.0
        p += part * (dp + ep) / 2.0
    return s, x, u, p


def balloon(drive, step, every, constants, state, sums, flow, volume, deoxyhemoglobin):  # type: ignore[no-untyped-def]
    """Integrate each region over all but the last sample of ``drive``, and keep the mean of every ``every`` steps.

    ``constants`` (5, n) are those of each region; ``state`` (4, n) and ``sums`` (3, n) are carried on from call to call.
    """
    for i in range(drive.shape[1]):
        kappa, gamma, tau = constants[0, i], constants[1, i], constants[2, i]
        alpha, E0 = constants[3, i], constants[4, i]
        s, x, u, p = state[0, i], state[1, i], state[2, i], state[3, i]
        for t in range(drive.shape[0] - 1):
            sums[0, i] += math.exp(x)
            sums[1, i] += math.exp(u)
            sums[2, i] += math.exp(p)
            if (t + 1) % every == 0:
                flow[t // every, i] = sums[0, i] / every
                volume[t // every, i] = sums[1, i] / every
                deoxyhemoglobin[t // every, i] = sums[2, i] / every
                sums[0, i], sums[1, i], sums[2, i] = 0.0, 0.0, 0.0
            before, after = drive[t, i], drive[t + 1, i]
            ds, dx, du, dp, forgets = log_rates(s, x, u, p, before, kappa, gamma, tau, alpha, E0)
            if step * max(abs(dx), abs(du), abs(dp), forgets) > LONGEST or x <= LOG_LEAST:
                s, x, u, p = in_parts(s, x, u, p, before, after, step, kappa, gamma, tau, alpha, E0)
                continue
            # The same once more: a call for it would make the whole a sixth slower.
            es, ex, eu, ep, _ = log_rates(
                s + step * ds, x + step * dx, u + step * du, p + step * dp, after, kappa, gamma, tau, alpha, E0
            )
            s += step * (ds + es) / 2.0
            x = max(x + step * (dx + ex) / 2.0, LOG_LEAST)
            u += step * (du + eu) / 2.0
            p += step * (dp + ep) / 2.0
        state[0, i], state[1, i], state[2, i], state[3, i] = s, x, u, p
