"""The default model near its working point, for differences between parts of one region.

Parts of a region share what arrives over the tracts, so what they differ by obeys the local dynamics alone, linearised:

    i_E = w+ J_N s_E - J s_I + drive + ca x           i_I = J_N s_E - s_I
    ds_E/dt = -(1 / tau_E + gamma r*) s_E + (1 - S_E) gamma h_E i_E          ds_I/dt = -s_I / tau_I + h_I i_I
    dz/dt = (-g + i w) z + noise,  g = (|a| + sqrt(a^2 + 8 b be^2)) / 2     rate = h_E i_E
    tau_d dv/dt = drive + ca x + w (w+ J_N s_E - J s_I) - v                  dipole = kappa v

h are the slopes at the working point, averaged over the noise; g holds the damping that b |z|^2 gives on average (Gaussian z,
E|z|^2 = be^2 / g). The drive is 1/f noise of its own, as the region's, times ``mode_drive``, and stronger in larger regions: its
variance grows with the root of their mean volume (assumed).
"""

from __future__ import annotations

import numpy as np

from fakeimaging.activity.model import Model, Observable, Rotation, Setup
from fakeimaging.activity.models.dmf_setup import (
    DmfParameters,
    alpha_map,
    noise_filters,
    working_point,
)
from fakeimaging.structure.subject import Subject


def excitatory_current(s_E, s_I, f1, f2, f3, f4, f5, f6, x, J_N, w_plus, J, alpha_current):  # type: ignore[no-untyped-def]
    """Deviation of the excitatory current in nA."""
    return w_plus * J_N * s_E - J * s_I + f1 + f2 + f3 + f4 + f5 + f6 + alpha_current * x


def rate(s_E, s_I, f1, f2, f3, f4, f5, f6, x, J_N, w_plus, J, alpha_current, slope_E):  # type: ignore[no-untyped-def]
    """Deviation of the excitatory rate in Hz."""
    return slope_E * excitatory_current(s_E, s_I, f1, f2, f3, f4, f5, f6, x, J_N, w_plus, J, alpha_current)


def dipole(dendrite, moment):  # type: ignore[no-untyped-def]
    """Deviation of the dipole moment per cortical area in nAm/mm2."""
    return moment * dendrite


def drift(  # type: ignore[no-untyped-def]
    s_E, s_I, f1, f2, f3, f4, f5, f6, x, dendrite, J_N, w_plus, J, alpha_current, slope_E, slope_I, decay_E, rise_E, tau_I,
    k1, k2, k3, k4, k5, k6, synaptic_dipole, dendrite_time,
):  # fmt: skip
    """Time derivatives per second; of x and y without their rotation."""
    r_E = rate(s_E, s_I, f1, f2, f3, f4, f5, f6, x, J_N, w_plus, J, alpha_current, slope_E)
    drive = f1 + f2 + f3 + f4 + f5 + f6 + alpha_current * x
    return (
        rise_E * r_E - decay_E * s_E,
        slope_I * (J_N * s_E - s_I) - s_I / tau_I,
        -k1 * f1, -k2 * f2, -k3 * f3, -k4 * f4, -k5 * f5, -k6 * f6,
        0.0, 0.0,
        (drive + synaptic_dipole * (w_plus * J_N * s_E - J * s_I) - dendrite) / dendrite_time,
    )  # fmt: skip


def diffusion(g1, g2, g3, g4, g5, g6, k1, k2, k3, k4, k5, k6, alpha_drive):  # type: ignore[no-untyped-def]
    """Amplitude per square root of second: one white noise enters each filter (nA), two more the rhythm."""
    return (g1 * k1, g2 * k2, g3 * k3, g4 * k4, g5 * k5, g6 * k6, alpha_drive, alpha_drive)


def prepare(parameters: DmfParameters, subject: Subject, step: float) -> Setup:
    """Linearise each region around its working point; nothing is coupled."""
    p, alpha = parameters, alpha_map(parameters, subject)
    point, _, J = working_point(p, subject)
    damping = np.abs(alpha["growth"])
    damping = (damping + np.sqrt(damping**2 + 8 * p.alpha_saturation * alpha["alpha_drive"] ** 2)) / 2
    drive = p.mode_drive * (100 / subject.n_regions) ** 0.25
    derived = {key: value * (drive if key[0] == "g" else 1.0) for key, value in noise_filters(p, subject, step).items()}
    derived |= {
        "J": J,
        "slope_E": point.slope_E,
        "slope_I": point.slope_I,
        "decay_E": 1 / p.tau_E + p.gamma * point.rate,
        "rise_E": (1 - point.S_E) * p.gamma,
        "growth": -damping,
        "omega": alpha["omega"],
        "alpha_drive": drive * alpha["alpha_drive"],
        "moment": p.dipole_density * alpha["cortex"],
    }
    return Setup(np.zeros((subject.n_regions,) * 2), {}, derived)


MODES = Model(
    name="dmf_modes",
    parameters=DmfParameters,
    states=("s_E", "s_I", "f1", "f2", "f3", "f4", "f5", "f6", "x", "y", "dendrite"),
    coupled=(),
    rotating=(Rotation("x", "y", "growth", "omega"),),
    drift=drift,
    driven=(*((f"f{i}", 0) for i in range(1, 7)), ("x", 1), ("y", 2)),
    diffusion=diffusion,
    observables={"rate": Observable(rate, "Hz", 50.0), "dipole": Observable(dipole, "nAm/mm2", 250.0, past=False)},
    prepare=prepare,
    uniform=("loop_gain",),
    step=2e-3,
    transient=20.0,
)
