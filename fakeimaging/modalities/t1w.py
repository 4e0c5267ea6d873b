"""T1-weighted anatomy: an MPRAGE image of the head's tissue at 3 T, without fat suppression.

It images tissue: neither the connectome nor the activity changes it.
"""

from __future__ import annotations

from typing import Any, Self

from pydantic import model_validator

from fakeimaging.activity.activity import Activity
from fakeimaging.core.citations import Reference
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.spaces import Grid, centred_grid
from fakeimaging.modalities.electro.electrodes import landmark_voxels
from fakeimaging.modalities.layers import Forward, Image
from fakeimaging.modalities.modality import Modality
from fakeimaging.modalities.relaxation import (
    BRAIN,
    GREY_SIGNAL,
    HEAD,
    REFERENCE,
    MprageTiming,
    mixed,
    mprage,
    relaxation_at_3t,
)
from fakeimaging.modalities.stages import BIAS, MAGNITUDE, QUANTISATION, THERMAL, slope_for
from fakeimaging.structure.subject import Subject

FIELD_OF_VIEW = (208.0, 248.0, 200.0)
"""mm: from ear to ear, from the tip of the nose to the back of the head, from the crown to the upper lip."""
FIELD_CENTRE = (0.0, 7.0, 8.0)
"""mm from the isocentre, where the middle of the brain lies: towards nose and crown."""
N_ECHOES = 176


class T1wParameters(Parameters):
    """Parameters of the scan."""

    voxel_size: float = parameter(1.0, unit="mm", bounds=(0.7, 8), description="edge of the cubic voxel")
    tr: float = parameter(2.3, unit="s", bounds=(0.5, 10), symbol="TR", description="time between inversions")
    inversion_time: float = parameter(
        0.9, unit="s", bounds=(0.7, 3), symbol="TI", description="inversion to centre of k-space"
    )
    echo_spacing: float = parameter(
        0.007, unit="s", bounds=(0.002, 0.0075), symbol="ES", description="between readouts"
    )
    flip_angle: float = parameter(9.0, unit="deg", bounds=(1, 30), symbol="alpha", description="of each readout")
    snr: float = parameter(
        40.0, unit="1", bounds=(1, 1e6), description="grey matter over thermal noise with the default sequence"
    )
    bias_sd: float = parameter(0.1, unit="1", bounds=(0, 0.5), description="SD of the log receive field in the brain")

    @model_validator(mode="after")
    def _readout_fits(self) -> Self:
        half = N_ECHOES // 2 * self.echo_spacing
        if self.inversion_time < half or self.tr < self.inversion_time + half:
            shortest = f"inversion_time of at least {half:g} s and a tr of at least {self.inversion_time + half:g} s"
            raise ValueError(f"{N_ECHOES} echoes {self.echo_spacing:g} s apart need an {shortest}; tr is {self.tr:g} s")
        return self


def geometry(parameters: T1wParameters, duration: float) -> tuple[Grid, None]:
    """Return the native grid; a T1w does not depend on a run."""
    nx, ny, nz = (round(length / parameters.voxel_size) for length in FIELD_OF_VIEW)
    return centred_grid((nx, ny, nz), parameters.voxel_size, FIELD_CENTRE), None


def forward(subject: Subject, activity: Activity | None, parameters: T1wParameters) -> Forward:
    """Return the noise-free image: tissue fractions times the MPRAGE signal of each tissue; its baseline is the brain alone."""
    p, gain = parameters, GREY_SIGNAL / _signals(T1wParameters())["grey"]
    signals = {name: gain * signal for name, signal in _signals(p).items()}
    grid, _ = geometry(p, 0.0)
    tissue = subject.anatomy.tissue(grid)
    image = mixed(tissue, signals)
    brain = mixed(tissue, {name: signals[name] for name in BRAIN})
    clean = Image(grid, None, lambda v: image, slope_for(max(map(abs, signals.values()))))
    return Forward(clean, GREY_SIGNAL, brain, context={"landmarks": landmark_voxels(subject, grid)})


def _signals(p: T1wParameters) -> dict[str, float]:
    """Signal of each pure tissue, in receiver units."""
    timing = MprageTiming(p.tr, p.inversion_time, p.echo_spacing, p.flip_angle, N_ECHOES)
    return {name: mprage(tissue, timing) for name, tissue in relaxation_at_3t(HEAD).items()}


def sidecar(parameters: T1wParameters, forward: Forward) -> dict[str, Any]:
    """Return the BIDS keys of the scan."""
    return {
        "MagneticFieldStrength": 3.0,
        "MRAcquisitionType": "3D",
        "ScanningSequence": "GR_IR",
        "SequenceVariant": "SP_MP",
        "RepetitionTimePreparation": parameters.tr,
        "RepetitionTimeExcitation": parameters.echo_spacing,
        "InversionTime": parameters.inversion_time,
        "FlipAngle": parameters.flip_angle,
        # No distortion by the gradients is simulated: the image has the geometry of a corrected one.
        "NonlinearGradientCorrection": True,
        "AnatomicalLandmarkCoordinates": forward.context["landmarks"],
    }


MODALITY = Modality(
    name="t1w",
    parameters=T1wParameters,
    images="tissue",
    geometry=geometry,
    forward=forward,
    observe=(BIAS, THERMAL, MAGNITUDE, QUANTISATION),
    datatype="anat",
    suffix="T1w",
    sidecar=sidecar,
    small={"voxel_size": 4.0},
    references=(
        Reference("Mugler and Brookeman", 1990, "10.1002/mrm.1910150117", "MPRAGE"),
        REFERENCE,
    ),
)
