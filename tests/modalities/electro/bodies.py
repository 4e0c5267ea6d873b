"""Recordings for tests of the body's artefacts: a cap with eye and heart channels, and coils 25 mm off the scalp."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from fakeimaging.activity.physiology import PhysiologyParameters, make_physiology
from fakeimaging.core.clocks import Clock
from fakeimaging.core.streams import Streams
from fakeimaging.modalities.eeg import EegParameters
from fakeimaging.modalities.electro.auxiliary import auxiliary_channels, with_auxiliary
from fakeimaging.modalities.electro.electrodes import electrode_names
from fakeimaging.modalities.electro.lead_field import electric, native_electrodes, to_native
from fakeimaging.modalities.electro.sensors import Sensors
from fakeimaging.modalities.layers import Channel, Forward, Series, dense
from fakeimaging.testing.fixtures import tiny_subject

BASELINE = 16.8
"""mm between the loops of a planar gradiometer (Neuromag)."""


@lru_cache(maxsize=8)
def body(seed=1, duration=120.0, **parameters):
    return make_physiology(duration, PhysiologyParameters(**parameters), streams=Streams(seed).at("run"))


def cap(made=None, *, rate=250.0, block=8192, montage="biosemi64", **parameters):
    """Forward of an EEG without any brain, and its parameters."""
    checked = EegParameters(montage=montage, sampling_frequency=rate, **parameters)
    names, subject = electrode_names(montage), tiny_subject()
    beside = auxiliary_channels(checked)
    sensors = Sensors(names, ("EEG",) * len(names), native_electrodes(subject, names))
    channels = (*(Channel(name, "EEG") for name in names), *beside)
    return forward_of(subject, channels, with_auxiliary(sensors, beside), made or body(), rate, block), checked


def forward_of(subject, channels, sensors, made, rate, block):
    clock = Clock(0.0, 1 / rate, round(made.duration * rate))
    silent = Series(channels, clock, lambda v: np.zeros((len(channels), silent.part(v).n), np.float32), 1e-7, block)
    return Forward(clean=silent, context={"subject": subject, "sensors": sensors, "physiology": made})


def helmet(made=None, *, rate=250.0):
    """Forward of magnetometers and planar gradiometers, each over an electrode of the upper head, with eye and heart channels."""
    subject, shipped = tiny_subject(), electric()
    names = tuple(name for name, place in zip(shipped.channels, shipped.electrodes, strict=True) if place[2] > -45)
    centre = (to_native(subject) @ [0, -20, 5, 1])[:3]
    electrodes = native_electrodes(subject, names)
    out = (electrodes - centre) / np.linalg.norm(electrodes - centre, axis=1, keepdims=True)
    along = np.cross(out, [0.0, 0.0, 1.0])
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    coils, n, half = electrodes + 25 * out, len(names), BASELINE / 2
    points = np.concatenate([coils, coils + half * along, coils - half * along])
    directions = np.concatenate([out, out / (1e-3 * BASELINE), -out / (1e-3 * BASELINE)])
    owner = np.concatenate([np.arange(n), n + np.arange(n), n + np.arange(n)])
    kinds = ("MEGMAG",) * n + ("MEGGRADPLANAR",) * n
    labels = (*(f"M{name}" for name in names), *(f"G{name}" for name in names))
    sensors = Sensors(labels, kinds, np.concatenate([coils, coils]), points, directions, owner)
    units = {"MEGMAG": "T", "MEGGRADPLANAR": "T/m"}
    beside = auxiliary_channels(EegParameters())
    channels = (*(Channel(name, kind, units[kind]) for name, kind in zip(labels, kinds, strict=True)), *beside)
    return forward_of(subject, channels, with_auxiliary(sensors, beside), made or body(), rate, 8192), EegParameters()


def recipe(stage, forward, parameters, seed=1):
    return stage.draw(forward, parameters, rng=Streams(seed).at(stage.name).rng())


def series(stage, forward, parameters, drawn=None, seed=1):
    """The whole term of a stage."""
    drawn = recipe(stage, forward, parameters) if drawn is None else drawn
    streams = Streams(seed).at(stage.name, "parts")

    def rng(v):
        return streams.at(f"{v}").rng()

    parts = range(forward.clean.n_parts)
    made = (stage.act(forward, drawn, v, rng=rng if stage.any_part else rng(v)) for v in parts)
    terms = [dense(term, forward.clean, v) for v, term in enumerate(made)]
    assert all(part.dtype == np.float32 for part in terms)
    return np.concatenate(terms, axis=1)


def in_blocks(forward, block):
    return replace(forward, clean=replace(forward.clean, block=block))


def row(forward, name):
    return [channel.name for channel in forward.clean.channels].index(name)


def agreement(found, true, within):
    """Precision and recall of times found."""
    right = [np.abs(true - time).min() <= within for time in found]
    seen = [np.abs(found - time).min() <= within for time in true]
    return np.mean(right), np.mean(seen)
