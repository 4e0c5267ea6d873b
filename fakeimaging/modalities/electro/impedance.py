"""Impedances of electrodes and what they let in: mains hum that grows with each contact's own, and thermal noise.

    V_i(t) = i_d Z_i(t) sqrt(2) cos(phi(t)) + n_i(t),    density of n_i: E sqrt(4 k T Z_i(t)),    Z_i(t) = Z_i (1 + d_i t)

phi: phase of the run's mains (`line`). i_d: displacement current that they drive into each lead (rms); it flows through the
contact, so that only differences of impedance are left after the reference. E: how far electrodes exceed thermal noise.
Impedances are those of the session's cap, so all its runs have the same; the drift of drying gel d_i is each run's own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.streams import Streams
from fakeimaging.modalities.electro.line import line_phase, mains_of
from fakeimaging.modalities.layers import Companion, Forward, Recipe, Stage
from fakeimaging.modalities.normals import normals

BOLTZMANN, BODY = 1.380649e-23, 306.0
"""J/K (SI), and K at the skin (assumed)."""
EXCESS = 3.0
"""Noise of an electrode on the skin relative to its thermal noise (assumed; Huigen et al. 2002, doi:10.1007/BF02344216: well above 1)."""
SPREAD, DRIFT_SPREAD = 0.4, 0.5
"""SD of the logarithms of impedance and drift (assumed)."""
HOUR, KILO = 3600.0, 1e3


def cap_impedances(forward: Forward, parameters: Any) -> npt.NDArray[np.float64]:
    """Return the impedance of each channel in Ohm when the cap was put on, shape (n_channels,); 0 of what is no electrode."""
    run: Streams = forward.context["run_streams"]
    session = run.path[: next((i + 1 for i, name in enumerate(run.path) if name.startswith("ses-")), 1)]
    rng = Streams(run.seed, session).at("cap", "impedance").rng()
    spread = np.exp(SPREAD * rng.standard_normal(len(forward.clean.channels)))
    found = np.zeros(len(spread))
    rows = forward.clean.rows("EEG", "ECOG", "SEEG")
    found[rows] = parameters.impedance * spread[rows]
    return found


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    n = len(forward.clean.channels)
    return mains_of(forward, parameters) | {
        "impedance": cap_impedances(forward, parameters),
        "drift": parameters.impedance_drift / HOUR * np.exp(DRIFT_SPREAD * rng.standard_normal(n)),
        "phase": float(rng.uniform(0, 2 * np.pi)),
        "current": parameters.mains_current,
    }


def _act(forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    clock = forward.clean.part(v)
    impedance, times = np.asarray(recipe["impedance"]), clock.times
    middle = impedance * (1 + np.asarray(recipe["drift"]) * times.mean())
    density = EXCESS * np.sqrt(4 * BOLTZMANN * BODY * middle)
    term = normals((len(impedance), clock.n), rng=rng)
    term *= (density * np.sqrt(clock.rate / 2)).astype(np.float32)[:, None]
    if recipe["frequency"] < clock.rate / 2:
        wave = np.sqrt(2) * recipe["current"] * np.cos(line_phase(recipe, times) + recipe["phase"])
        maps = np.stack([impedance, impedance * recipe["drift"]], axis=1).astype(np.float32)
        term += maps @ np.stack([wave, wave * times]).astype(np.float32)
    return term


def _tell(companions: tuple[Companion, ...], forward: Forward, recipe: Recipe) -> tuple[Companion, ...]:
    names = [channel.name for channel in forward.clean.channels]
    kilo_ohm = dict(zip(names, np.round(np.asarray(recipe["impedance"]) / KILO, 2).tolist(), strict=True))
    return tuple(_with_impedance(c, kilo_ohm) if c.name.endswith("electrodes") else c for c in companions)


def _with_impedance(table: Companion, kilo_ohm: dict[str, float]) -> Companion:
    """Return a table of electrodes with their impedances, after the columns that BIDS wants first."""
    if "impedance" in table.columns or "name" not in table.columns:
        return table
    name = table.columns.index("name")
    rows = [[*row, kilo_ohm.get(row[name])] for row in table.rows]
    about = {"impedance": {"Description": "of the contact when the cap was put on", "Units": "kOhm"}}
    return replace(table, columns=(*table.columns, "impedance"), rows=rows, about={**table.about, **about})


IMPEDANCE = Stage("impedance", "additive", _draw, _act, tell=_tell)
"""Hum and noise that follow each contact's impedance.

Needs ``impedance``, ``impedance_drift``, ``mains_current`` and ``line_frequency``."""
