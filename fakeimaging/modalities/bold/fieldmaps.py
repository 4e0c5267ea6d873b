"""Images from which the field of a BOLD scan can be told, and the field itself.

``epi``: two spin echoes of opposite phase encoding with the readout of the scan, so that each is distorted the other way. ``phasediff``: a
gradient echo at two echo times, whose phases differ by 2 pi f (TE2 - TE1), and their magnitudes; no echo-planar readout, no
distortion. All lie on the grid of the scan, with the head as it lay at t = 0 and noise of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.bold.distortion import axis_of, distort, make_warp, readout, shift_of, voxels_per_hz
from fakeimaging.modalities.bold.maps import make_maps
from fakeimaging.modalities.bold.parameters import BoldParameters
from fakeimaging.modalities.layers import Extra, Image
from fakeimaging.modalities.recording import Recording

FOLDER = "fmap"
SPIN_ECHO = {"sequence": "spin_echo", "tr": 8.0, "echo_time": 0.06}
"""s (assumed)."""
GRADIENT_ECHO = {"sequence": "gradient_echo", "tr": 0.7, "flip_angle": 60.0}
"""s and degrees, as in published sidecars of Siemens' ``gre_field_mapping`` at 3 T."""
ECHO_TIMES = {1.5: (0.00476, 0.00952), 3.0: (0.00492, 0.00738), 7.0: (0.00408, 0.0051)}
"""s, by T: as in the same sidecars at 3 T; at 1.5 and 7 T assumed."""
HALF_TURN = 4096
"""Stored steps of half a turn of phase: -4096 to 4095 is a whole one, as Siemens scanners store it."""
LARGEST = 32767
"""Of int16."""
TOWARDS = {"j-": "AP", "j": "PA", "i-": "RL", "i": "LR"}
"""Label of each phase encoding in a RAS+ file; in a LAS+ one the first axis points the other way."""


def extras(recording: Recording) -> Iterator[Extra]:
    """Yield the field maps that a scan asks for, and the true field wherever it has one."""
    p = recording.parameters
    if p.fieldmap == "epi":
        yield from reversed_pair(recording)
    elif p.fieldmap == "phasediff":
        yield from phase_difference(recording)
    yield from truth(recording)


def reversed_pair(recording: Recording) -> Iterator[Extra]:
    """Yield a spin echo with the phase encoding of the scan, and one with the opposite."""
    p: BoldParameters = recording.parameters
    own = p.model_copy(update=SPIN_ECHO)
    maps = make_maps(recording.source[0], recording.forward.context["tissue"], own)
    axis, n_lines = axis_of(p), recording.clean.grid.shape[axis_of(p)]
    for encoding in (p.phase_encoding[0] + "-", p.phase_encoding[0]):
        there = own.model_copy(update={"phase_encoding": encoding})
        direction = direction_of(there)
        make = partial(
            _spin_echo, recording, maps.baseline(own.echo_time), axis, voxels_per_hz(there, n_lines), direction
        )
        keys = {**_keys(there), "EchoTime": own.echo_time, **readout(there, n_lines)}
        yield _map("epi", recording, make, keys, {"dir": direction})


def direction_of(p: BoldParameters) -> str:
    """Return the label of a phase encoding: from where in the head to where.

    Examples
    --------
    >>> direction_of(BoldParameters(phase_encoding="j-"))
    'AP'
    """
    label = TOWARDS[p.phase_encoding]
    return label[::-1] if p.orientation == "LAS" and axis_of(p) == 0 else label


def _spin_echo(
    recording: Recording, rest: npt.NDArray[np.float32], axis: int, voxels: float, direction: str, v: int
) -> npt.NDArray:
    shift = shift_of(recording.forward, voxels)
    if "distortion" in recording.stages and shift.any() and shift.shape[axis] > 1:
        rest = distort(rest, make_warp(shift, axis))
    return np.abs(rest + _noise(recording, f"fmap-{direction}"))


def phase_difference(recording: Recording) -> Iterator[Extra]:
    """Yield the magnitudes of two echoes, and the difference of their phases."""
    p: BoldParameters = recording.parameters
    own, times = p.model_copy(update=GRADIENT_ECHO), ECHO_TIMES[p.field_strength]
    maps = make_maps(recording.source[0], recording.forward.context["tissue"], own)
    frequency = recording.forward.context["maps"].frequency

    def echo(e: int) -> npt.NDArray[np.complex64]:
        turn = np.exp(2j * np.pi * times[e] * frequency).astype(np.complex64)
        return np.asarray(maps.baseline(times[e]) * turn + _noise(recording, f"fmap-echo-{e + 1}"))

    for e, time in enumerate(times):
        keys = {**_keys(own), "EchoTime": time}
        yield _map(f"magnitude{e + 1}", recording, lambda v, e=e: np.abs(echo(e)), keys, {})

    def difference(v: int) -> npt.NDArray[np.float32]:
        steps = np.rint(np.angle(echo(1) * echo(0).conj()) * np.float32(HALF_TURN / np.pi))
        return np.where(steps >= HALF_TURN, -HALF_TURN, steps).astype(np.float32)

    keys = {**_keys(own), "EchoTime1": times[0], "EchoTime2": times[1], "Units": "arbitrary"}
    keys["Description"] = f"phase of the second echo less that of the first; {HALF_TURN} steps are half a turn"
    yield _map("phasediff", recording, difference, keys, {}, slope=1.0)


def truth(recording: Recording) -> Iterator[Extra]:
    """Yield the true field in Hz, by how many mm it shifts the scan along its phase encoding, and what BIDS wants beside it: an image."""
    frequency = recording.forward.context["maps"].frequency
    if not frequency.any():
        return
    recipe, grid = recording.recipe("distortion"), recording.clean.grid
    where = "with the head as it lay at t = 0, on the grid of the scan, undistorted"
    yield _true("magnitude", recording, recording.forward.baseline, {"Description": f"image at rest, {where}"})
    yield _true("desc-truth_fieldmap", recording, frequency, {"Units": "Hz", "Description": f"true field, {where}"})
    shift = shift_of(recording.forward, recipe["voxels_per_hz"]) * np.float32(grid.voxel_size[recipe["axis"]])
    if "distortion" in recording.stages and shift.any():
        words = (
            f"shift of the signal of each voxel in mm, towards higher indices of axis {'ij'[recipe['axis']]}, {where}"
        )
        yield _true("desc-shift_fieldmap", recording, shift, {"Units": "mm", "Description": words})


def _true(suffix: str, recording: Recording, values: npt.NDArray, keys: dict[str, Any]) -> Extra:
    slope = float(np.float32(1.001 * np.abs(values).max() / LARGEST))
    image = Image(recording.clean.grid, None, lambda v: values, slope)
    return Extra(suffix, image, {**keys, "SkullStripped": False}, folder=FOLDER, truth=True, shared=True)


def _map(
    suffix: str, recording: Recording, make: Any, keys: dict[str, Any], entities: dict[str, str], slope: float = 0.0
) -> Extra:
    image = Image(recording.clean.grid, None, make, slope or recording.clean.slope)
    return Extra(suffix, image, keys, entities, folder=FOLDER, maps_field=True, shared=True)


def _keys(p: BoldParameters) -> dict[str, Any]:
    keys = {"MagneticFieldStrength": p.field_strength, "RepetitionTime": p.tr, "FlipAngle": p.excitation_angle}
    return {**keys, "PulseSequenceType": p.sequence.replace("_", " ") + (" EPI" if p.sequence == "spin_echo" else "")}


def _noise(recording: Recording, name: str) -> npt.NDArray[np.complex64]:
    """Receiver noise of the size it has in the scan, where it has any."""
    grid = recording.clean.grid
    if "thermal" not in recording.stages:
        return np.zeros(grid.shape, dtype=np.complex64)
    rng = recording.streams.at(name, "thermal").rng()
    noise = rng.standard_normal((*grid.shape, 2), dtype=np.float32)
    noise *= np.float32(recording.recipe("thermal")["sigma"])
    return noise.view(np.complex64)[..., 0]
