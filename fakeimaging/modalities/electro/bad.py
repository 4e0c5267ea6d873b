"""Channels known to be bad, each of one kind; the list is the truth that detectors are scored against.

flat: dead, a little noise of the converter (a magnetometer nothing). noisy: contact lost, broadband noise and slow waves over
what is left of the signal. loose: the same but larger, now and then. bridged: gel joins two neighbours, and both show their
mean and the noise of their own amplifiers (Alschuler et al. 2014, doi:10.1016/j.clinph.2013.08.024). The stage acts before the
reference: an average reference, which is computed afterwards, spreads them over all channels, and a flat channel is then flat no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import did_you_mean
from fakeimaging.modalities.electro.pops import event_table, unit_factor
from fakeimaging.modalities.layers import Channel, Companion, Forward, Recipe, Stage
from fakeimaging.modalities.normals import normals

BadKind = Literal["flat", "noisy", "loose", "bridged"]
BAD_KINDS: tuple[str, ...] = get_args(BadKind)
MAGNETIC_KINDS = ("flat", "noisy")
"""What can be wrong with a coil."""
LEFT = 0.3
"""Share of the signal that a lost contact lets through (assumed)."""
SPREAD = 0.25
"""SD of the logarithm of the noise of lost contacts (assumed)."""
SLOW, N_SLOW = (0.1, 3.0), 12
"""Hz of a lost contact's slow waves, log-uniform, and how many there are (assumed); together they have half its variance."""
LOOSE_APART, LOOSE_FOR = (2.0, 10.0), (1.0, 4.0)
"""s, least and most, between losses of contact and of their length (assumed)."""
LOOSE_GAIN = 2.0
"""Noise of a contact that comes and goes, relative to one that is gone: it moves (assumed)."""
DEAD = 0.25
"""Noise of a dead channel relative to its amplifier's (assumed: what comes after the first stage)."""
LOOSE_RAMP = 0.02
"""s in which a contact goes and comes back (assumed)."""

Signal = npt.NDArray[np.float32]
Fault = tuple[str, str, str]
"""Channel, kind, and the neighbour that a bridge joins it to."""


def as_pairs(value: Any) -> Any:
    """Return a table or a list of channels and kinds as pairs; anything else as it is."""
    pairs = value.items() if isinstance(value, Mapping) else value if isinstance(value, list) else None
    if pairs is None:
        return value
    if alone := next((pair for pair in pairs if isinstance(pair, str)), None):
        raise ValueError(f"'{alone}' is bad in what way? Give a table: {{'{alone}' = 'flat'}}")
    return tuple(tuple(pair) if isinstance(pair, list) else pair for pair in pairs)


def problem_of(chosen: Any, names: Sequence[str], kinds: Sequence[str] = BAD_KINDS) -> str | None:
    """Return what is wrong with a number, a share or pairs of bad channels among these names, if anything."""
    if not isinstance(chosen, tuple):
        most = 1 if isinstance(chosen, float) else len(names)
        return None if 0 <= chosen <= most else f"{chosen} is outside [0, {most}]"
    told = [name for name, _ in chosen]
    for name, kind in chosen:
        if name not in names:
            return f"no channel '{name}'{did_you_mean(name, names)}"
        if kind not in kinds:
            return f"'{kind}' is no kind of bad channel{did_you_mean(kind, kinds)}"
        if told.count(name) > 1:
            return f"'{name}' stands there twice"
    return None


def _can_be_bad(channel: Channel) -> bool:
    return channel.kind in {"EEG", "ECOG", "SEEG"} or channel.unit in {"T", "T/m"}


def _faults(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> list[Fault]:
    channels = forward.clean.channels
    able = [i for i, channel in enumerate(channels) if _can_be_bad(channel)]
    magnetic = bool(able) and channels[able[0]].unit != "V"
    chosen, free = parameters.bad_channels, [int(i) for i in rng.permutation(able)]
    if isinstance(chosen, tuple):
        wanted = [(name, kind) for name, kind in chosen]
        row = {channel.name: i for i, channel in enumerate(channels)}
        free = [i for i in free if channels[i].name not in dict(chosen)]
        return [_fault(row[name], kind, free, forward) for name, kind in wanted]
    n = round(chosen * len(able)) if isinstance(chosen, float) else chosen
    kinds = [kind for kind in parameters.bad_kinds if not magnetic or kind in MAGNETIC_KINDS]
    found: list[Fault] = []
    while free and (left := n - sum(1 + bool(partner) for *_, partner in found)) > 0:
        possible = [kind for kind in kinds if kind != "bridged" or left > 1]
        if not possible:
            break
        found.append(_fault(free.pop(), str(rng.choice(possible)), free, forward))
    return found


def _fault(row: int, kind: str, free: list[int], forward: Forward) -> Fault:
    """Return a fault of a channel; a bridge takes the nearest of those that are free."""
    channels, partner = forward.clean.channels, ""
    if kind == "bridged" and free:
        places = forward.context["sensors"].positions
        nearest = min(free, key=lambda i: float(np.linalg.norm(places[i] - places[row])))
        free.remove(nearest)
        partner = channels[nearest].name
    return channels[row].name, kind, partner


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    clock, unit = forward.clean.clock, {channel.name: channel.unit for channel in forward.clean.channels}
    faults = _faults(forward, parameters, rng=rng)
    names, kinds, partners = ([fault[k] for fault in faults] for k in range(3))
    shape = (len(faults), N_SLOW)
    losses = {name: _losses(clock, rng=rng) for name, kind, _ in faults if kind == "loose"}
    level = np.exp(SPREAD * rng.standard_normal(len(faults))) * [unit_factor(unit[name]) for name in names]
    level = level * [LOOSE_GAIN if kind == "loose" else 1.0 for kind in kinds]
    return {
        "name": names,
        "kind": kinds,
        "partner": partners,
        "noise": parameters.noisy_amplitude * level,
        "amplifier": [getattr(parameters, "amplifier_noise", 0.0) if unit[name] == "V" else 0.0 for name in names],
        "frequencies": SLOW[0] * (SLOW[1] / SLOW[0]) ** rng.random(shape),
        "phases": rng.uniform(0, 2 * np.pi, shape),
        "loss_channel": [name for name, each in losses.items() for _ in each],
        "loss_onset": np.array([onset for each in losses.values() for onset, _ in each]),
        "loss_duration": np.array([duration for each in losses.values() for _, duration in each]),
        "reference": _reference(parameters, set(unit)),
        "mark": parameters.mark_bad,
    }


def _reference(parameters: Any, known: set[str]) -> list[str]:
    """Return the electrodes that the amplifier measures against; none with an average, which is computed afterwards."""
    chosen = str(getattr(parameters, "reference", ""))
    return [name for name in map(str.strip, chosen.split(",")) if name in known]


def _losses(clock: Clock, *, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Return onset and duration of each loss of contact; even a short run has one."""
    onset = clock.start + rng.random() * min(LOOSE_APART[1], clock.n * clock.step)
    found = []
    while onset < clock.stop:
        found.append((onset, float(rng.uniform(*LOOSE_FOR))))
        onset += found[-1][1] + float(rng.uniform(*LOOSE_APART))
    return found


def _lost(clock: Clock, recipe: Recipe, k: int, *, rng: np.random.Generator) -> Signal:
    """Return the noise of a lost contact, shape (clock.n,): half its variance white, half slow waves."""
    slow = np.sqrt(1 / N_SLOW) * sum(
        np.cos(2 * np.pi * f * clock.times + phase)
        for f, phase in zip(recipe["frequencies"][k], recipe["phases"][k], strict=True)
    )
    return np.asarray(recipe["noise"][k] * (np.sqrt(0.5) * normals((clock.n,), rng=rng) + slow), dtype=np.float32)


def lost_share(clock: Clock, losses: Sequence[tuple[float, float]]) -> npt.NDArray[np.float64]:
    """Return how far a contact is lost, from 0 to 1, given onset and duration of each loss in s, shape (clock.n,).

    Examples
    --------
    >>> lost_share(Clock(0.0, 1.0, 6), [(1.0, 3.0)])
    array([0., 0., 1., 1., 0., 0.])
    """
    gone = np.zeros(clock.n)
    for onset, duration in losses:
        inside = np.minimum(clock.times - onset, onset + duration - clock.times)
        gone = np.maximum(gone, np.clip(inside / LOOSE_RAMP, 0.0, 1.0))
    return gone


def _act(signal: Signal, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> Signal:
    if not recipe["name"]:
        return signal
    clock: Clock = forward.clean.part(v)
    row = {channel.name: i for i, channel in enumerate(forward.clean.channels)}
    changed = signal.copy()
    for k, (name, kind, partner) in enumerate(zip(recipe["name"], recipe["kind"], recipe["partner"], strict=True)):
        i = row[name]
        amplifier = np.float32(recipe["amplifier"][k] * np.sqrt(clock.rate / 2))
        if partner:
            both = [i, row[partner]]
            changed[both] = signal[both].mean(axis=0) + amplifier * normals((2, clock.n), rng=rng)
        elif kind == "flat":
            against = [row[other] for other in recipe["reference"]]
            changed[i] = np.float32(DEAD) * amplifier * normals((clock.n,), rng=rng)
            changed[i] += signal[against].mean(axis=0) if against else 0
        elif kind in {"noisy", "loose"}:
            gone = 1 if kind == "noisy" else lost_share(clock, _losses_of(recipe, name)).astype(np.float32)
            changed[i] += gone * (_lost(clock, recipe, k, rng=rng) - np.float32(1 - LEFT) * signal[i])
    return changed


def _losses_of(recipe: Recipe, name: str) -> list[tuple[float, float]]:
    every = zip(recipe["loss_channel"], recipe["loss_onset"], recipe["loss_duration"], strict=True)
    return [(float(onset), float(duration)) for channel, onset, duration in every if channel == name]


def bad_channels(recipe: Recipe) -> dict[str, str]:
    """Return the kind of every bad channel by name; both of a bridge are there."""
    found = {}
    for name, kind, partner in zip(recipe["name"], recipe["kind"], recipe["partner"], strict=True):
        found[name] = f"bridged with {partner}" if partner else kind
        if partner:
            found[partner] = f"bridged with {name}"
    return found


def _tell(companions: tuple[Companion, ...], forward: Forward, recipe: Recipe) -> tuple[Companion, ...]:
    told, found = bad_channels(recipe), list(companions)
    if told and recipe["mark"]:
        found = [_with_status(table, told) if table.name == "channels" else table for table in found]
    losses = [
        (onset, duration, "loose", name, None)
        for name in dict.fromkeys(recipe["loss_channel"])
        for onset, duration in _losses_of(recipe, name)
    ]
    return (*found, event_table("loose", losses, "losses of contact of single electrodes")) if losses else tuple(found)


def _with_status(table: Companion, told: Mapping[str, str]) -> Companion:
    """Return a table of channels that says which are bad and why."""
    columns = (*table.columns, *(name for name in ("status", "status_description") if name not in table.columns))
    name, status, why = (columns.index(column) for column in ("name", "status", "status_description"))
    rows = []
    for old in table.rows:
        row = [*old, *["n/a"] * (len(columns) - len(old))]
        row[status], row[why] = ("bad", told[row[name]]) if row[name] in told else ("good", None)
        rows.append(row)
    return replace(table, columns=columns, rows=rows)


BAD = Stage("bad", "operator", _draw, _act, tell=_tell)
"""Bad channels; needs ``bad_channels``, ``bad_kinds``, ``noisy_amplitude``, ``mark_bad`` and, of electrodes, ``amplifier_noise``."""
