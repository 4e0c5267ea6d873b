"""Functional MRI: the BOLD signal of each region and of its modes, painted on grey matter, sampled at each slice's own time.

`signal` makes the clean series, `parameters` says what can be chosen, and the stages follow the way of the signal: what changes in the
brain, how the head lies, what the field bends, what the receiver adds, how it is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fakeimaging.activity import hemodynamics, hrf, physiology
from fakeimaging.core.citations import Reference
from fakeimaging.modalities import motion, susceptibility
from fakeimaging.modalities.bold import distortion, epsilon, fieldmaps, heart_rate, physio, physio_noise
from fakeimaging.modalities.bold.beside import single_band, true_maps
from fakeimaging.modalities.bold.changes import bold_change, sample
from fakeimaging.modalities.bold.distortion import DISTORTION, axis_of, readout
from fakeimaging.modalities.bold.drift import DRIFT
from fakeimaging.modalities.bold.dropouts import DROPOUTS
from fakeimaging.modalities.bold.ghost import GHOST
from fakeimaging.modalities.bold.heart_rate import HEART_RATE
from fakeimaging.modalities.bold.parameters import BoldParameters
from fakeimaging.modalities.bold.physio import CARDIAC, RESPIRATORY
from fakeimaging.modalities.bold.physio_noise import PHYSIOLOGICAL
from fakeimaging.modalities.bold.receivers import MAGNITUDE, RECEIVERS
from fakeimaging.modalities.bold.sequence import geometry, slice_times
from fakeimaging.modalities.bold.signal import forward
from fakeimaging.modalities.bold.spikes import SPIKES
from fakeimaging.modalities.bold.spin_history import SPIN_HISTORY
from fakeimaging.modalities.bold.steady_state import STEADY_STATE
from fakeimaging.modalities.layers import Extra, Forward
from fakeimaging.modalities.modality import Modality
from fakeimaging.modalities.motion import MOTION
from fakeimaging.modalities.recording import Recording
from fakeimaging.modalities.relaxation import REFERENCE
from fakeimaging.modalities.stages import QUANTISATION, THERMAL

__all__ = ["MODALITY", "BoldParameters", "bold_change", "forward", "geometry", "sample", "sidecar", "slice_times"]


def sidecar(parameters: BoldParameters, forward: Forward) -> dict[str, Any]:
    """Return the BIDS keys of the scan."""
    p = parameters
    times = slice_times(forward.clean.grid.shape[2], p.tr, p.slice_order, p.multiband)
    keys = {
        "MagneticFieldStrength": p.field_strength,
        "MRAcquisitionType": "2D",
        "ScanningSequence": "EP",
        "PulseSequenceType": f"{p.sequence.replace('_', ' ')} EPI",
        "RepetitionTime": p.tr,
        "EchoTime": p.echo_time,
        "FlipAngle": p.excitation_angle,
        "NumberOfVolumesDiscardedByScanner": p.dummy_scans,
        # No distortion by the gradients is simulated: the image has the geometry of a corrected one.
        "NonlinearGradientCorrection": True,
        **readout(p, forward.clean.grid.shape[axis_of(p)]),
    }
    keys |= {"SliceTiming": np.round(times, 6).tolist()} if p.slice_order != "simultaneous" else {}
    keys |= {"MultibandAccelerationFactor": p.multiband} if p.multiband > 1 else {}
    return keys


def part_of(parameters: BoldParameters) -> Mapping[str, str]:
    """Name the echo of a scan with several."""
    return {"echo": str(parameters.echo)} if parameters.echo_times else {}


def parts(parameters: BoldParameters) -> tuple[Mapping[str, Any], ...]:
    """Return what tells the echoes of a scan apart."""
    return tuple({"echo": k + 1, "echo_time": time} for k, time in enumerate(parameters.echo_times)) or ({},)


def extras(recording: Recording) -> Iterator[Extra]:
    """Yield the images beside a scan."""
    yield from fieldmaps.extras(recording)
    yield from true_maps(recording)
    yield from single_band(recording, sidecar)


MODALITY = Modality(
    name="bold",
    parameters=BoldParameters,
    images="function",
    reads=("rate",),
    geometry=geometry,
    forward=forward,
    observe=(
        *(PHYSIOLOGICAL, DRIFT, CARDIAC, RESPIRATORY, HEART_RATE, STEADY_STATE),
        *(MOTION, SPIN_HISTORY, DISTORTION, DROPOUTS, GHOST, SPIKES),
        *(THERMAL, RECEIVERS, MAGNITUDE, QUANTISATION),
    ),
    datatype="func",
    suffix="bold",
    sidecar=sidecar,
    small={"voxel_size": 7.0, "multiband": 1},
    part_of=part_of,
    parts=parts,
    extras=extras,
    references=(
        *hemodynamics.REFERENCES,
        *hrf.REFERENCES,
        *epsilon.REFERENCES,
        Reference("Stephan et al.", 2007, "10.1016/j.neuroimage.2007.07.040", "BOLD output equation"),
        Reference("Heinzle et al.", 2016, "10.1016/j.neuroimage.2015.10.025", "output coefficients at 7 T"),
        REFERENCE,
        physio_noise.REFERENCE,
        *physio.REFERENCES,
        heart_rate.REFERENCE,
        *physiology.REFERENCES,
        *motion.REFERENCES,
        *susceptibility.REFERENCES,
        *distortion.REFERENCES,
    ),
)
