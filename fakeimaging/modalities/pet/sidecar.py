"""What PET-BIDS says of a scan."""

from __future__ import annotations

from typing import Any

import numpy as np

from fakeimaging.modalities.layers import Forward
from fakeimaging.modalities.pet.frames import effective_seconds
from fakeimaging.modalities.pet.parameters import PetParameters, injected
from fakeimaging.modalities.pet.tracers import TRACERS, Tracer


def sidecar(parameters: PetParameters, forward: Forward) -> dict[str, Any]:
    """Return the BIDS keys of the scan."""
    p, tracer, frames = parameters, TRACERS.get(parameters.tracer), forward.clean.clock
    factors = frames.durations / effective_seconds(frames, tracer.decay)
    return {
        "TracerName": tracer.tracer_name,
        "TracerRadionuclide": tracer.radionuclide,
        "InjectedRadioactivity": injected(p),
        "InjectedRadioactivityUnits": "MBq",
        **_mass(p, tracer),
        "ModeOfAdministration": "bolus",
        "BodyPart": "BRAIN",
        "TimeZero": "12:00:00",
        "ScanStart": 0,
        "InjectionStart": 0,
        "FrameTimesStart": frames.starts.tolist(),
        "FrameDuration": frames.durations.tolist(),
        "AcquisitionMode": "list mode",
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": 0,
        "DecayCorrectionFactor": np.round(factors, 6).tolist(),
        "ReconMethodName": "simulated in image space",
        "ReconMethodParameterLabels": [f"point_spread_fwhm_{axis}" for axis in "xyz"],
        "ReconMethodParameterUnits": ["mm"] * 3,
        "ReconMethodParameterValues": list(p.point_spread),
        "ReconFilterType": "none",
        "AttenuationCorrection": "none needed: simulated after correction for attenuation, scatter and randoms",
    }


def _mass(p: PetParameters, tracer: Tracer) -> dict[str, Any]:
    if tracer.injected_mass is None:
        keys = ("InjectedMass", "InjectedMassUnits", "SpecificRadioactivity", "SpecificRadioactivityUnits")
        return dict.fromkeys(keys, "n/a")
    specific = tracer.injected_activity.value / tracer.injected_mass.value
    mass = injected(p) / specific
    return {
        "InjectedMass": round(mass, 6),
        "InjectedMassUnits": tracer.injected_mass.unit,
        "SpecificRadioactivity": specific,
        "SpecificRadioactivityUnits": f"MBq/{tracer.injected_mass.unit}",
        "InjectedMassPerWeight": round(mass / p.body_weight, 9),
        "InjectedMassPerWeightUnits": f"{tracer.injected_mass.unit}/kg",
    }
