"""What the shape of a condition asks of its other parameters, and of the time step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fakeimaging.core.errors import did_you_mean

SLACK = 1e-6
"""Seconds by which sums of decimal times may miss."""
SHORTEST = 0.001
"""Seconds of the shortest current."""
NEEDED = {
    "block": (), "pulses": ("pulse_rate", "pulse_width"), "sine": ("frequency",), "chirp": ("frequency", "end_frequency"),
    "noise": (), "file": ("file", "sampling_rate"),
}  # fmt: skip
"""Parameters that each shape cannot do without."""
TAKEN = {
    **NEEDED, "pulses": (*NEEDED["pulses"], "pulse_edge"), "sine": ("frequency", "phase"),
    "chirp": (*NEEDED["chirp"], "phase"), "noise": ("time_constant", "band", "independent"),
}  # fmt: skip
"""Parameters that each shape has a use for."""


def shape_problem(condition: Any) -> str | None:
    """Return the first thing about a condition's shape that cannot be, None when all is well."""
    return next(_problems(condition), None)


def imposed_problem(condition: Any) -> str | None:
    """Return what cannot be about what a condition imposes, None when all is well."""
    low, high = condition.modulation_range
    if not low <= high:
        return f"`modulation_range`: {low:g} is above {high:g}"
    if condition.percent is None:
        short = condition.duration < SHORTEST
        return f"`duration`: a current of {condition.duration:g} s is shorter than {SHORTEST:g} s" if short else None
    for name in ("amplitude", "shape", "rise", "latency"):
        if getattr(condition, name) != type(condition).model_fields[name].default:
            return f"`{name}`: it belongs to a current, and `percent` imposes the response without one"
    return None


def _problems(condition: Any) -> Iterator[str]:
    shape = condition.shape
    for name in sorted({name for names in TAKEN.values() for name in names} - set(TAKEN[shape])):
        if getattr(condition, name) != type(condition).model_fields[name].default:
            shapes = " or ".join(f"'{other}'" for other, names in TAKEN.items() if name in names)
            yield f"`{name}`: shape '{shape}' has no use for it; it belongs to {shapes}"
    for name in NEEDED[shape]:
        if getattr(condition, name) is None:
            yield f"`{name}`: missing; shape '{shape}' needs it"
    own = {"pulses": _of_pulses, "noise": _of_noise, "file": _of_file}
    yield from own[shape](condition) if shape in own else ()


def _of_pulses(condition: Any) -> Iterator[str]:
    length = condition.pulse_width * (2 if condition.pulse_edge == "cosine" else 1)
    if length > 1 / condition.pulse_rate + SLACK * 1e-3:
        yield (
            f"`pulse_width`: a {condition.pulse_edge} of {condition.pulse_width:g} s takes {length:g} s, longer than the "
            f"{1 / condition.pulse_rate:g} s from pulse to pulse at {condition.pulse_rate:g} Hz"
        )
    if condition.pulse_width > condition.duration + SLACK:
        yield f"`pulse_width`: {condition.pulse_width:g} s is longer than the event of {condition.duration:g} s"


def _of_noise(condition: Any) -> Iterator[str]:
    if (condition.time_constant is None) == (condition.band is None):
        yield "`time_constant`: give noise either a `time_constant` or a `band`"
    if condition.band is not None and not 0 <= condition.band[0] < condition.band[1] <= 1000:
        yield f"`band`: {list(condition.band)} Hz is no rising pair within [0, 1000]"


def _of_file(condition: Any) -> Iterator[str]:
    from fakeimaging.structure.tables import ENDINGS

    if not condition.file.lower().endswith(ENDINGS):
        ending = condition.file[condition.file.rfind(".") :] if "." in condition.file else condition.file
        yield f"`file`: no course ends in {ending!r}{did_you_mean(ending, ENDINGS)}"


def fast_problems(condition: Any, step: float) -> Iterator[str]:
    """Yield what in a condition is too fast for a time step in s: it would show as something slower."""
    half, rate = 0.5 / step, 1 / step
    highest = {
        "pulses": {"pulse_rate": condition.pulse_rate},
        "sine": {"frequency": condition.frequency},
        "chirp": {"frequency": condition.frequency, "end_frequency": condition.end_frequency},
        "noise": {"band": condition.band and condition.band[1]},
    }
    for name, value in highest.get(condition.shape, {}).items():
        if value is not None and value >= half:
            yield f"{name}`: {value:g} Hz is not below {half:g} Hz, half the rate of steps of {step:g} s"
    if condition.time_constant is not None and condition.time_constant < step:
        yield f"time_constant`: {condition.time_constant:g} s is shorter than the step of {step:g} s"
    if condition.sampling_rate is not None and condition.sampling_rate > rate * (1 + SLACK):
        yield f"sampling_rate`: {condition.sampling_rate:g} Hz is above the {rate:g} Hz of steps of {step:g} s; resample it"
