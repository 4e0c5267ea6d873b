"""The default model: excitatory and inhibitory populations (Deco et al. 2014) with 1/f drive and an alpha rhythm.

    I_E = W_E I0 + w+ J_N S_E + G J_N sum_j C_ij S_E,j(t - d_ij) - J_i S_I + s xi + ca x + I_stim
    I_I = W_I I0 + J_N S_E - S_I              r_k = u / (1 - exp(-d_k u)),  u = a_k I_k - b_k
    dS_E/dt = -S_E / tau_E + (1 - S_E) gamma r_E            dS_I/dt = -S_I / tau_I + r_I
    dz/dt = (a_i + i w_i) z - [delta (rs - r*) / r* + b |z|^2] z + Ka sum_j C_ij x_j(t - d_ij) + be_i dW/dt,   z = x + i y
    drs/dt = (r_E - rs) / tau_r     tau_d dv/dt = D + w (I_E - I_E* - D) - v,  D = s xi + ca x,  dipole = kappa v

Currents in nA, rates in Hz, times in s. C is the row-normalised connectome. Differences from the paper, so that one stable
working point carries realistic functional connectivity (all `assumed`, measured in docs/architecture.md): w+ = 1, mean rates
around 5 Hz, and 1/f current noise s xi: one white noise a region through six one-pole filters f_k (nA) of different time
constants, their sum of SD s. Target rate and s differ between regions. The coupling is given as the loop gain K of the whole
network, from which G follows; local inhibition J_i holds each region at its own target rate (`dmf_setup`).

Alpha is a normal form, a damped resonator that activity suppresses, not a thalamic mechanism. Regions below the cortex have
none; their dipoles are weak from outside (`modalities.electro.sources`). A positive dipole points from white matter to pia, as
current into the somata of pyramidal cells makes it (Neymotin et al. 2020); its mean is removed in closed form, by the current
I_E* at the working point. Of the synaptic currents (recurrent, inhibitory, from other regions, stimulus) only a share w counts
(assumed): spread over the dendrite they cancel in part, while drive and alpha are synchronous. With w = 1 responses to a
stimulus are several times larger in EEG than in people. The dendrites that carry the dipole pass little beyond 1 / (2 pi tau_d)
= 20 Hz (Linden et al. 2010 for the low-pass, tau_d assumed).
"""

from __future__ import annotations

import numpy as np

from fakeimaging.activity.functions import rectifier
from fakeimaging.activity.model import Model, Observable, Rotation, Setup
from fakeimaging.activity.models.dmf_modes import MODES
from fakeimaging.activity.models.dmf_setup import (
    DmfParameters,
    alpha_map,
    noise_filters,
    noise_map,
    working_point,
)
from fakeimaging.activity.wiring import everywhere
from fakeimaging.core.citations import Reference
from fakeimaging.structure.subject import Subject


def response(current, a, b, d):  # type: ignore[no-untyped-def]
    """Firing rate in Hz of a population at a current in nA."""
    return rectifier(a * current - b, d)


def excitatory_current(  # type: ignore[no-untyped-def]
    S_E, S_I, f1, f2, f3, f4, f5, f6, x, coupled_S_E, stimulus, J_N, w_plus, G, J, external, alpha_current,
):  # fmt: skip
    """Current into the excitatory population in nA."""
    noise = f1 + f2 + f3 + f4 + f5 + f6 + alpha_current * x
    return external + w_plus * J_N * S_E + G * J_N * coupled_S_E - J * S_I + noise + stimulus


def excitatory_rate(  # type: ignore[no-untyped-def]
    S_E, S_I, f1, f2, f3, f4, f5, f6, x, coupled_S_E, stimulus, J_N, w_plus, G, J, external, alpha_current,
    a_E, b_E, d_E,
):  # fmt: skip
    """Excitatory firing rate in Hz."""
    current = excitatory_current(
        S_E, S_I, f1, f2, f3, f4, f5, f6, x, coupled_S_E, stimulus, J_N, w_plus, G, J, external, alpha_current
    )  # fmt: skip
    return response(current, a_E, b_E, d_E)


def inhibitory_rate(S_E, S_I, a_I, b_I, d_I, J_N, W_I, I0):  # type: ignore[no-untyped-def]
    """Inhibitory firing rate in Hz."""
    return response(W_I * I0 + J_N * S_E - S_I, a_I, b_I, d_I)


def dipole(dendrite, moment):  # type: ignore[no-untyped-def]
    """Dipole moment per cortical area in nAm/mm2, positive towards the pia."""
    return moment * dendrite


def drift(  # type: ignore[no-untyped-def]
    S_E, S_I, f1, f2, f3, f4, f5, f6, x, y, slow_rate, dendrite, coupled_S_E, coupled_x, stimulus,
    a_E, b_E, d_E, a_I, b_I, d_I, tau_E, tau_I, gamma, J_N, w_plus, W_I, I0, G, J, external, alpha_current,
    k1, k2, k3, k4, k5, k6, rest_rate, alpha_suppression, alpha_saturation, alpha_input, tau_r,
    rest_current, synaptic_dipole, dendrite_time,
):  # fmt: skip
    """Time derivatives per second; of x and y without their rotation."""
    r_E = excitatory_rate(
        S_E, S_I, f1, f2, f3, f4, f5, f6, x, coupled_S_E, stimulus, J_N, w_plus, G, J, external, alpha_current,
        a_E, b_E, d_E,
    )  # fmt: skip
    r_I = inhibitory_rate(S_E, S_I, a_I, b_I, d_I, J_N, W_I, I0)
    current = excitatory_current(
        S_E, S_I, f1, f2, f3, f4, f5, f6, x, coupled_S_E, stimulus, J_N, w_plus, G, J, external, alpha_current
    )  # fmt: skip
    drive = f1 + f2 + f3 + f4 + f5 + f6 + alpha_current * x
    loss = alpha_suppression * (slow_rate / rest_rate - 1.0) + alpha_saturation * (x * x + y * y)
    return (
        (1.0 - S_E) * gamma * r_E - S_E / tau_E,
        r_I - S_I / tau_I,
        -k1 * f1, -k2 * f2, -k3 * f3, -k4 * f4, -k5 * f5, -k6 * f6,
        alpha_input * coupled_x - loss * x,
        -loss * y,
        (r_E - slow_rate) / tau_r,
        (drive + synaptic_dipole * (current - rest_current - drive) - dendrite) / dendrite_time,
    )  # fmt: skip


def diffusion(g1, g2, g3, g4, g5, g6, k1, k2, k3, k4, k5, k6, alpha_drive):  # type: ignore[no-untyped-def]
    """Amplitude per square root of second: one white noise enters each filter (nA), two more the rhythm."""
    return (g1 * k1, g2 * k2, g3 * k3, g4 * k4, g5 * k5, g6 * k6, alpha_drive, alpha_drive)


def prepare(parameters: DmfParameters, subject: Subject, step: float) -> Setup:
    """Set coupling, inhibition, noise, alpha and the start at the working point."""
    p, alpha = parameters, alpha_map(parameters, subject)
    point, G, J = working_point(p, subject)
    derived = noise_filters(p, subject, step) | alpha
    derived |= {
        "J": J,
        "rest_current": point.I_E,
        "rest_rate": point.rate,
        "moment": everywhere(subject, p.dipole_density),
    }
    derived |= {"G": np.array(G), "external": np.array(p.W_E * p.I0)}
    truth = {"target_rate": point.rate, "noise_sd": noise_map(p, subject)}
    truth |= {"alpha_frequency": alpha["omega"] / (2 * np.pi) * alpha["cortex"]}
    return Setup(
        subject.connectome.row_normalised(),
        {"S_E": point.S_E, "S_I": point.S_I, "slow_rate": point.rate},
        derived,
        truth,
    )


MODEL = Model(
    name="dmf",
    parameters=DmfParameters,
    states=("S_E", "S_I", "f1", "f2", "f3", "f4", "f5", "f6", "x", "y", "slow_rate", "dendrite"),
    coupled=("S_E", "x"),
    rotating=(Rotation("x", "y", "growth", "omega"),),
    drift=drift,
    driven=(*((f"f{i}", 0) for i in range(1, 7)), ("x", 1), ("y", 2)),
    diffusion=diffusion,
    observables={
        "rate": Observable(excitatory_rate, "Hz", 50.0),
        "inhibitory_rate": Observable(inhibitory_rate, "Hz", 10.0),
        "dipole": Observable(dipole, "nAm/mm2", 250.0, past=False),
    },
    prepare=prepare,
    uniform=("loop_gain",),
    modes=MODES,
    transient=20.0,
    references=(
        Reference("Deco et al.", 2014, "10.1523/JNEUROSCI.5068-13.2014", "dynamic mean field with feedback inhibition"),
        Reference("Neymotin et al.", 2020, "10.7554/eLife.51214", "sign of the cortical dipole"),
        Reference("Linden et al.", 2010, "10.1007/s10827-010-0245-4", "dendrites as a low-pass of the dipole"),
    ),
)
