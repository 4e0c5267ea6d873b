"""Deliberate mistakes in the raw files of a scan (``pet.fault``), to test quality control with; the truth beside them stays right.

=================== ==================================================================== ======================================
name                what is wrong                                                        bids-validator 3.0.2 says
=================== ==================================================================== ======================================
mid_frame_decay     frames corrected for decay as if all of it came in their middle      nothing
half_life           image and factors corrected with another nuclide's half-life         nothing
not_corrected       image not corrected for decay, sidecar says it is                    nothing
decay_factors       DecayCorrectionFactor upside down                                    nothing
left_right          image mirrored, its affine not                                       nothing
end_times           FrameDuration holds the ends of the frames                           nothing
missing_frame       last frame in the image alone                                        PET_FRAME_CONSISTENCY_FRAME_DURATION,
                                                                                         PET_FRAME_CONSISTENCY_FRAME_TIMES_START
frame_lists         FrameDuration one shorter than FrameTimesStart                       PET_FRAME_CONSISTENCY,
                                                                                         PET_FRAME_CONSISTENCY_FRAME_DURATION
overlapping_frames  frames of 1.5 times their length from the same starts                nothing
frame_minutes       frame times in minutes                                               nothing
time_zero           TimeZero an hour late, as after a change to summer time              nothing
time_zero_format    TimeZero without colons                                              JSON_SCHEMA_VALIDATION_ERROR
injection_start     InjectionStart of the other sign, or a minute off                    nothing
units               Units of kBq/mL beside numbers in Bq/mL                              nothing
units_missing       no Units                                                             SIDECAR_KEY_REQUIRED
radionuclide        TracerRadionuclide is another one                                    nothing
mass                InjectedMass a thousand times too large                              nothing
tracer_missing      no TracerName                                                        SIDECAR_KEY_REQUIRED
infusion_keys       bolus-infusion without a word on the infusion                        SIDECAR_KEY_REQUIRED
blood_missing       no blood files                                                       nothing
blood_alone         blood JSON without its table                                         SIDECAR_WITHOUT_DATAFILE
blood_column        no parent fraction, though MetaboliteAvail                           TSV_COLUMN_MISSING
blood_minutes       blood times in minutes                                               nothing
blood_uncorrected   blood not corrected for decay                                        nothing
=================== ==================================================================== ======================================

What it says nothing about cannot be seen from names, keys and lengths of lists: a check has to compare files, or know the tracer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fakeimaging.core.clocks import Frames
from fakeimaging.modalities.layers import Companion
from fakeimaging.modalities.pet.kinetics import decayed_time
from fakeimaging.modalities.pet.plasma import Array
from fakeimaging.modalities.pet.tracers import MINUTE, half_life

Keys = dict[str, Any]
OTHER = {"C11": "F18"}
"""The nuclide that one is mistaken for; carbon for all others."""


def same_keys(keys: Keys) -> Keys:
    """Leave the sidecar as it is."""
    return keys


def same_tables(tables: tuple[Companion, ...], decay: float) -> tuple[Companion, ...]:
    """Leave the blood files as they are."""
    return tables


def same_image(frames: Frames, decay: float, nuclide: str) -> Array:
    """Leave the image as it is: 1 for each frame."""
    return np.ones(frames.n)


@dataclass(frozen=True)
class Fault:
    """A deliberate mistake.

    Parameters
    ----------
    what : str
        In words.
    codes : tuple of str
        What the official validator reports; empty for what it cannot see.
    keys : callable
        ``keys(right) -> wrong`` sidecar; the argument is a copy.
    tables : callable
        ``tables(companions, decay) -> companions`` of the blood files.
    image : callable
        ``image(frames, decay, nuclide)``: a factor on each frame; times are after TimeZero, ``decay`` is in 1/min.
    mirrored : bool
        Whether left and right of the image are swapped.
    """

    what: str
    codes: tuple[str, ...] = ()
    keys: Callable[[Keys], Keys] = same_keys
    tables: Callable[[tuple[Companion, ...], float], tuple[Companion, ...]] = same_tables
    image: Callable[[Frames, float, str], Array] = same_image
    mirrored: bool = False


def _without(*names: str) -> Callable[[Keys], Keys]:
    return lambda keys: {name: value for name, value in keys.items() if name not in names}


def _with(name: str, change: Callable[[Any], Any]) -> Callable[[Keys], Keys]:
    return lambda keys: keys | ({name: change(keys[name])} if name in keys else {})


def _end_times(keys: Keys) -> Keys:
    ends = np.add(keys["FrameTimesStart"], keys["FrameDuration"])
    return keys | {"FrameDuration": ends.tolist()}


def _in_minutes(keys: Keys) -> Keys:
    return keys | {
        name: (np.array(keys[name]) / MINUTE).round(6).tolist() for name in ("FrameTimesStart", "FrameDuration")
    }


def _without_last(keys: Keys) -> Keys:
    return keys | {name: keys[name][:-1] for name in ("FrameTimesStart", "FrameDuration")}


def _hour_later(clock: str) -> str:
    return f"{(int(clock[:2]) + 1) % 24:02d}{clock[2:]}"


def _other(nuclide: str) -> str:
    return OTHER.get(nuclide, "C11")


def _mixed_up(keys: Keys) -> Keys:
    return keys | {"TracerRadionuclide": _other(keys["TracerRadionuclide"])}


def _thousandfold(mass: Any) -> Any:
    return mass if isinstance(mass, str) else mass * 1000


def _bolus_infusion(keys: Keys) -> Keys:
    """Say bolus-infusion and nothing that belongs to it."""
    names = ("InfusionRadioactivity", "InfusionStart", "InfusionSpeed", "InfusionSpeedUnits", "InjectedVolume")
    return _without(*names)(keys) | {"ModeOfAdministration": "bolus-infusion"}


def _corrected_by(keys: Keys, factor: Callable[[Array, Array, float], Array], nuclide: str) -> Keys:
    """Give the factors of a correction: of starts and lengths (min) and decay constant (1/min)."""
    if "DecayCorrectionFactor" not in keys:
        return keys
    starts = np.subtract(keys["FrameTimesStart"], keys["ImageDecayCorrectionTime"]) / MINUTE
    found = factor(starts, np.array(keys["FrameDuration"]) / MINUTE, _constant(nuclide))
    return keys | {"DecayCorrectionFactor": found.round(6).tolist()}


def _constant(nuclide: str) -> float:
    """Return the decay constant of a nuclide in 1/min."""
    return float(np.log(2) / half_life(nuclide) * MINUTE)


def _of_middles(keys: Keys) -> Keys:
    return _corrected_by(
        keys, lambda starts, lengths, k: np.exp(k * (starts + lengths / 2)), keys["TracerRadionuclide"]
    )


def _of_other(keys: Keys) -> Keys:
    return _corrected_by(
        keys, lambda s, d, k: np.exp(k * s) * d / decayed_time(d, k), _other(keys["TracerRadionuclide"])
    )


def mid_frame(frames: Frames, decay: float, nuclide: str) -> Array:
    """Return the factor of the middle of each frame over the right one.

    Examples
    --------
    >>> frames = Frames([300.0])
    >>> mid_frame(frames, np.log(2) / 122.24 * 60, "O15").round(3)
    array([1.125])
    """
    lengths = frames.durations / MINUTE
    return np.asarray(np.exp(decay * lengths / 2) * decayed_time(lengths, decay) / lengths)


def _of_other_nuclide(frames: Frames, decay: float, nuclide: str) -> Array:
    """Return the factor of the other nuclide over the right one."""
    return _uncorrected(frames, decay, nuclide) / _uncorrected(frames, _constant(_other(nuclide)), nuclide)


def _uncorrected(frames: Frames, decay: float, nuclide: str) -> Array:
    """Return what decay since TimeZero leaves of each frame."""
    lengths = frames.durations / MINUTE
    return np.asarray(np.exp(-decay * frames.starts / MINUTE) * decayed_time(lengths, decay) / lengths)


def _missing(tables: tuple[Companion, ...], decay: float) -> tuple[Companion, ...]:
    return ()


def _alone(tables: tuple[Companion, ...], decay: float) -> tuple[Companion, ...]:
    return tuple(replace(table, columns=(), rows=()) for table in tables)


def _column_missing(tables: tuple[Companion, ...], decay: float) -> tuple[Companion, ...]:
    lost = "metabolite_parent_fraction"
    return tuple(_dropped(table, lost) if lost in table.columns else table for table in tables)


def _dropped(table: Companion, name: str) -> Companion:
    i = table.columns.index(name)
    rows = [[*row[:i], *row[i + 1 :]] for row in table.rows]
    return replace(table, columns=table.columns[:i] + table.columns[i + 1 :], rows=rows)


def _minutes(tables: tuple[Companion, ...], decay: float) -> tuple[Companion, ...]:
    return tuple(replace(table, rows=[[round(row[0] / MINUTE, 6), *row[1:]] for row in table.rows]) for table in tables)


def _decaying(tables: tuple[Companion, ...], decay: float) -> tuple[Companion, ...]:
    return tuple(replace(table, rows=[_decayed(table.columns, row, decay) for row in table.rows]) for table in tables)


def _decayed(columns: tuple[str, ...], row: Any, decay: float) -> list[Any]:
    left = float(np.exp(-decay * row[0] / MINUTE))
    return [
        cell if not name.endswith("radioactivity") else cell * left for name, cell in zip(columns, row, strict=True)
    ]


FAULTS: Mapping[str, Fault] = {
    "none": Fault("nothing"),
    "mid_frame_decay": Fault("frames corrected for decay as if all of it came in their middle", keys=_of_middles, image=mid_frame),
    "half_life": Fault("image and factors corrected with another nuclide's half-life", keys=_of_other, image=_of_other_nuclide),
    "not_corrected": Fault("image not corrected for decay, sidecar says it is", image=_uncorrected),
    "decay_factors": Fault(
        "DecayCorrectionFactor upside down",
        keys=_with("DecayCorrectionFactor", lambda factors: np.round(1 / np.array(factors), 6).tolist()),
    ),
    "left_right": Fault("image mirrored, its affine not", mirrored=True),
    "end_times": Fault("FrameDuration holds the ends of the frames", keys=_end_times),
    "missing_frame": Fault(
        "last frame in the image alone",
        ("PET_FRAME_CONSISTENCY_FRAME_DURATION", "PET_FRAME_CONSISTENCY_FRAME_TIMES_START"),
        _without_last,
    ),
    "frame_lists": Fault(
        "FrameDuration one shorter than FrameTimesStart",
        ("PET_FRAME_CONSISTENCY", "PET_FRAME_CONSISTENCY_FRAME_DURATION"),
        _with("FrameDuration", lambda lengths: lengths[:-1]),
    ),
    "overlapping_frames": Fault(
        "frames of 1.5 times their length from the same starts",
        keys=_with("FrameDuration", lambda lengths: (1.5 * np.array(lengths)).tolist()),
    ),
    "frame_minutes": Fault("frame times in minutes", keys=_in_minutes),
    "time_zero": Fault("TimeZero an hour late, as after a change to summer time", keys=_with("TimeZero", _hour_later)),
    "time_zero_format": Fault(
        "TimeZero without colons", ("JSON_SCHEMA_VALIDATION_ERROR",), _with("TimeZero", lambda t: t.replace(":", ""))
    ),
    "injection_start": Fault(
        "InjectionStart of the other sign, or a minute off", keys=_with("InjectionStart", lambda t: -t if t else 60.0)
    ),
    "units": Fault("Units of kBq/mL beside numbers in Bq/mL", keys=_with("Units", lambda unit: f"k{unit}")),
    "units_missing": Fault("no Units", ("SIDECAR_KEY_REQUIRED",), _without("Units")),
    "radionuclide": Fault("TracerRadionuclide is another one", keys=_mixed_up),
    "mass": Fault("InjectedMass a thousand times too large", keys=_with("InjectedMass", _thousandfold)),
    "tracer_missing": Fault("no TracerName", ("SIDECAR_KEY_REQUIRED",), _without("TracerName")),
    "infusion_keys": Fault(
        "bolus-infusion without a word on the infusion", ("SIDECAR_KEY_REQUIRED",), _bolus_infusion
    ),
    "blood_missing": Fault("no blood files", tables=_missing),
    "blood_alone": Fault("blood JSON without its table", ("SIDECAR_WITHOUT_DATAFILE",), tables=_alone),
    "blood_column": Fault("no parent fraction, though MetaboliteAvail", ("TSV_COLUMN_MISSING",), tables=_column_missing),
    "blood_minutes": Fault("blood times in minutes", tables=_minutes),
    "blood_uncorrected": Fault("blood not corrected for decay", tables=_decaying),
}  # fmt: skip
"""By name."""

OF_DECAY = ("mid_frame_decay", "half_life", "not_corrected", "decay_factors")
"""Faults of the correction for decay."""


def fault_table() -> list[dict[str, str]]:
    """Return one row a fault: name, what is wrong, what the official validator says.

    Examples
    --------
    >>> fault_table()[0]["name"]
    'mid_frame_decay'
    """
    return [
        {"name": name, "wrong": fault.what, "validator": ", ".join(fault.codes) or "nothing"}
        for name, fault in FAULTS.items()
        if name != "none"
    ]


def is_blood(table: Companion) -> bool:
    """Tell whether a table is one of the raw blood files."""
    return table.name.endswith("_blood") and not table.truth
