"""When artefacts came: one table of the truth beside every recording of EEG, MEG or intracranial EEG.

Blinks, saccades, heart beats, bursts of muscles, sweat and jerks of the head are those of the run's physiology and of the stages'
recipes; pops, jumps, losses of contact and volumes of a scanner are what the stages tell of themselves. Only stages that are on count.
An artefact of many channels is told by the sensor that shows most of it, before any reference is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology import MUSCLES, Physiology
from fakeimaging.modalities.electro.bad import bad_channels
from fakeimaging.modalities.electro.drift import N_PLACES
from fakeimaging.modalities.electro.muscle import POOLS
from fakeimaging.modalities.layers import Companion, Recipe, Series
from fakeimaging.modalities.recording import Recording

Event = tuple[float, float, str, str | None, float | None]
"""Onset and duration in s, type, channel, size in the channel's unit."""
COLUMNS = ("onset", "duration", "trial_type", "channel", "amplitude")
NAME, ENDING = "desc-artefacts_events", "_events"
SENSORS = ("EEG", "MEGMAG", "MEGGRADAXIAL", "ECOG", "SEEG")
"""Kinds of channels that tell an artefact; planar gradiometers have another unit than the magnetometers beside them."""
WORDS = {
    "blink": "the lids close and open; onset as they begin to fall",
    "saccade": "quick turn of both eyes",
    "heartbeat": "R peak",
    "temporalis": "burst of the muscles of the jaw",
    "frontalis": "burst of the muscles of the forehead",
    "neck": "burst of the muscles of the neck",
    "sweat": "burst of skin potential",
    "jerk": "sudden movement of the head",
    "pop": "step of an electrode that decays",
    "jump": "step of a sensor that stays",
    "volume": "start of a volume of the MR scanner",
    "loose": "loss of contact of an electrode that comes and goes",
    "flat": "dead channel",
    "noisy": "channel that lost contact",
    "bridged": "electrodes joined by gel",
}
"""Types of artefacts."""


def with_artefacts(recording: Recording) -> tuple[Companion, ...]:
    """Return the tables beside a recording, what they tell of artefacts in one table; as they are beside an image."""
    tables = recording.companions
    if not isinstance(recording.clean, Series):
        return tables
    told = [table for table in tables if _tells(table)]
    return (*(table for table in tables if not _tells(table)), artefact_table(recording, told))


def _tells(table: Companion) -> bool:
    return table.truth and table.name.endswith(ENDING)


def artefact_table(recording: Recording, told: list[Companion]) -> Companion:
    """Return the table of a recording's artefacts in order of onset.

    Parameters
    ----------
    recording : Recording
        Of channels.
    told : list of Companion
        Tables of events that stages tell of themselves.
    """
    clock = recording.clean.clock
    events = [event for make in (*STAGES.values(), _of_bad) for event in make(recording)]
    events += [_event(dict(zip(table.columns, row, strict=True))) for table in told for row in table.rows]
    kept = sorted((e for e in events if clock.start <= e[0] < clock.stop), key=lambda e: (e[0], e[2], e[3] or ""))
    seen = dict.fromkeys(event[2] for event in kept)
    levels = {name: words for name, words in WORDS.items() if name in seen}
    about = {
        "Description": "artefacts and when they came; exact",
        "trial_type": {"Description": "kind of artefact", "Levels": levels},
        "channel": {"Description": "channel that has it, or shows most of it"},
        "amplitude": {"Description": "its peak there before any reference, in the channel's unit: V, T or T/m"},
    }
    return Companion(NAME, COLUMNS, [_rounded(event) for event in kept], about, truth=True)


def _event(row: Mapping[str, Any]) -> Event:
    return row["onset"], row["duration"], row["trial_type"], row.get("channel"), row.get("amplitude")


def _rounded(event: Event) -> list[Any]:
    onset, duration, name, channel, size = event
    return [round(onset, 6), round(duration, 6), name, channel, None if size is None else float(f"{size:.6g}")]


def _body(recording: Recording) -> Physiology:
    body: Physiology = recording.forward.context["physiology"]
    return body


def _largest(recording: Recording, column: npt.NDArray) -> tuple[str, float]:
    """Return the sensor in which a map is largest, and its value there."""
    rows = recording.clean.rows(*SENSORS)
    row = rows[np.abs(np.asarray(column)[rows]).argmax()]
    return recording.clean.channels[row].name, float(column[row])


def _of_blinks(recording: Recording, recipe: Recipe) -> Iterator[Event]:
    body, (channel, size) = _body(recording), _largest(recording, recipe["map"])
    for onset, duration, strength in zip(body.blink_onsets, body.blink_durations, body.blink_strengths, strict=True):
        yield float(onset), float(duration), "blink", channel, size * float(strength)


def _of_saccades(recording: Recording, recipe: Recipe) -> Iterator[Event]:
    saccades, maps = _body(recording).saccades, np.asarray(recipe["maps"])[:, :2]
    for onset, duration, turn in zip(saccades.onsets, saccades.durations, saccades.turns, strict=True):
        yield float(onset), float(duration), "saccade", *_largest(recording, maps @ turn)


def _of_beats(recording: Recording, recipe: Recipe) -> Iterator[Event]:
    channel, size = _largest(recording, recipe["map"])
    yield from ((float(beat), 0.0, "heartbeat", channel, size) for beat in _body(recording).beats)


def _of_muscles(recording: Recording, recipe: Recipe) -> Iterator[Event]:
    bursts, maps = _body(recording).bursts, np.asarray(recipe["maps"])
    sides = np.array([(MUSCLES.index(muscle), side) for muscle, side in POOLS.values()])
    for k in range(len(bursts.onsets)):
        lean = 1 if bursts.sides[k] >= 0 else 0
        own = (sides[:, 0] == bursts.muscles[k]) & (sides[:, 1] == lean)
        channel, size = _largest(recording, np.linalg.norm(maps[:, own], axis=1))
        name = MUSCLES[int(bursts.muscles[k])]
        yield float(bursts.onsets[k]), float(bursts.durations[k]), name, channel, size * float(bursts.strengths[k])


def _of_sweat(recording: Recording, recipe: Recipe) -> Iterator[Event]:
    found = [_largest(recording, np.asarray(recipe["maps"])[:, place]) for place in range(N_PLACES)]
    for onset, duration, size, place in zip(
        *(recipe[key] for key in ("onsets", "durations", "sizes", "places")), strict=True
    ):
        channel, largest = found[int(place)]
        yield float(onset), float(duration), "sweat", channel, largest * float(size)


def _of_movement(recording: Recording, recipe: Recipe) -> Iterator[Event]:
    jerks = _body(recording).jerks if recipe["scale"] else ()
    yield from ((float(onset), 0.0, "jerk", None, None) for onset in jerks)


def _when_on(
    stage: str, make: Callable[[Recording, Recipe], Iterator[Event]]
) -> Callable[[Recording], Iterator[Event]]:
    def events(recording: Recording) -> Iterator[Event]:
        if stage in recording.stages:
            yield from make(recording, recording.recipe(stage))

    return events


STAGES = {
    stage: _when_on(stage, make)
    for stage, make in {
        "blinks": _of_blinks, "saccades": _of_saccades, "heart": _of_beats, "muscle": _of_muscles, "sweat": _of_sweat,
        "movement": _of_movement,
    }.items()
}  # fmt: skip
"""Artefacts of the body by the stage that makes them."""


def _of_bad(recording: Recording) -> Iterator[Event]:
    """Yield channels that are bad from beginning to end; loose ones are told by their losses."""
    if "bad" not in recording.stages:
        return
    clock = recording.clean.clock
    for name, kind in bad_channels(recording.recipe("bad")).items():
        if kind != "loose":
            yield clock.start, clock.n * clock.step, kind.split()[0], name, None
