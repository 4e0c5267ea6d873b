"""What PET-BIDS says of a scan: of the raw file, with a deliberate mistake where one is asked for, and of the clean frames.

All times are in seconds after TimeZero (time_base.py). InjectedRadioactivity is what was injected when it was injected, whatever
TimeZero is, as DICOM has it (0018,1074); image and blood are corrected for decay to TimeZero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fakeimaging.core.clocks import Frames
from fakeimaging.modalities.layers import Forward
from fakeimaging.modalities.pet.arterial import infused_share
from fakeimaging.modalities.pet.counts import count_keys
from fakeimaging.modalities.pet.faults import FAULTS, Keys
from fakeimaging.modalities.pet.parameters import PetParameters, injected
from fakeimaging.modalities.pet.scanners import SCANNERS
from fakeimaging.modalities.pet.time_base import TimeBase, decay_factors, time_base
from fakeimaging.modalities.pet.tracers import TRACERS, Tracer

BOLUS = 20.0
"""Seconds that a bolus takes to inject (assumed)."""
VOLUME = 40.0
"""mL that an infusion holds, its bolus included (assumed)."""


def sidecar(parameters: PetParameters, forward: Forward) -> Keys:
    """Return the BIDS keys of the raw file."""
    return FAULTS[parameters.fault].keys(right_keys(parameters, forward))


def right_keys(parameters: PetParameters, forward: Forward) -> Keys:
    """Return the BIDS keys of the raw file as they should be."""
    p, tracer, frames = parameters, TRACERS.get(parameters.tracer), forward.clean.clock
    base = time_base(p, frames)
    return {
        "Units": "Bq/mL",
        "BodyPart": "BRAIN",
        "TracerName": tracer.tracer_name,
        "TracerRadionuclide": tracer.radionuclide,
        "InjectedRadioactivity": injected(p),
        "InjectedRadioactivityUnits": "MBq",
        **_mass(p, tracer),
        **_given(p, base, float(frames.ends[-1])),
        **_challenged(p, base),
        "TimeZero": base.clock,
        "ScanStart": base.of(frames.start),
        "FrameTimesStart": [base.of(start) for start in frames.starts],
        "FrameDuration": frames.durations.tolist(),
        "AcquisitionMode": "list mode",
        **_corrected(p, frames, base, tracer),
        **_reconstructed(p),
        **_scanned(p, forward),
        "ScaleFactor": [1.0] * frames.n,
    }


def clean_keys(parameters: PetParameters, forward: Forward) -> Keys:
    """Return the BIDS keys of the clean frames, which are corrected for decay to injection; and what is wrong with the raw file."""
    frames, tracer = forward.clean.clock, TRACERS.get(parameters.tracer)
    base = time_base(parameters, frames)
    right = right_keys(parameters, forward)
    corrected = {
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": base.of(0.0),
        "DecayCorrectionFactor": np.round(decay_factors(frames, TimeBase(0.0), tracer.decay), 6).tolist(),
    }
    return right | corrected | fault_keys(parameters, forward)


def fault_keys(parameters: PetParameters, forward: Forward) -> Keys:
    """Return what the truth says of a deliberate mistake: its name, what it is, who sees it, the keys as they should be."""
    if parameters.fault == "none":
        return {}
    fault, right = FAULTS[parameters.fault], right_keys(parameters, forward)
    wrong = fault.keys(dict(right))
    changed = {key: value for key, value in right.items() if wrong.get(key) != value}
    changed |= dict.fromkeys(wrong.keys() - right.keys())
    about: dict[str, Any] = {
        "Name": parameters.fault,
        "Description": fault.what,
        "ReportedByValidator": list(fault.codes),
    }
    return {"Fault": about | {"RightValues": changed}}


def _mass(p: PetParameters, tracer: Tracer) -> Keys:
    keys: Keys = {}
    if tracer.molecular_weight is not None:
        keys |= {
            "TracerMolecularWeight": tracer.molecular_weight.value,
            "TracerMolecularWeightUnits": tracer.molecular_weight.unit,
        }
    if tracer.injected_mass is None:
        names = ("InjectedMass", "InjectedMassUnits", "SpecificRadioactivity", "SpecificRadioactivityUnits")
        return dict.fromkeys(names, "n/a") | keys
    specific = tracer.injected_activity.value / tracer.injected_mass.value
    mass = injected(p) / specific
    if tracer.molar_activity is not None:
        keys |= {"MolarActivity": round(tracer.molar_activity, 6), "MolarActivityUnits": "GBq/umol"}
    return keys | {
        "InjectedMass": round(mass, 6),
        "InjectedMassUnits": tracer.injected_mass.unit,
        "SpecificRadioactivity": specific,
        "SpecificRadioactivityUnits": f"MBq/{tracer.injected_mass.unit}",
        "InjectedMassPerWeight": round(mass / p.body_weight, 9),
        "InjectedMassPerWeightUnits": f"{tracer.injected_mass.unit}/kg",
        "Purity": 100,
    }


def _given(p: PetParameters, base: TimeBase, seconds: float) -> Keys:
    """Say how the tracer was given; ``seconds`` is the end of the scan after injection."""
    share, length = infused_share(p, seconds)
    end = length if share > 0 else p.bolus_duration or BOLUS
    given: Keys = {"ModeOfAdministration": p.administration.replace("_", "-"), "InjectionStart": base.of(0.0)}
    given |= {"InjectionEnd": base.of(end)}
    if share > 0:
        given |= {
            "InfusionRadioactivity": round(share * injected(p), 6),
            "InfusionStart": base.of(0.0),
            "InfusionSpeed": round(share * VOLUME / length, 9),
            "InfusionSpeedUnits": "mL/s",
            "InjectedVolume": VOLUME,
        }
    return given


def _challenged(p: PetParameters, base: TimeBase) -> Keys:
    """Say what was given beside the tracer; nothing where nothing was."""
    if not p.challenges:
        return {}
    what = [
        f"takes {one.occupancy:.0%} of the sites"
        if one.occupancy is not None
        else f"changes the transmitter by {one.size:+.0%}"
        for one in p.challenges
    ]
    times = [base.of(one.onset) for one in p.challenges]
    return {
        "PharmaceuticalName": "simulated challenge",
        "PharmaceuticalDoseTime": times[0] if len(times) == 1 else times,
        "PharmaceuticalDoseRegimen": "; ".join(
            f"at {time:g} s, {words} at its largest ({one.shape} course)"
            for time, words, one in zip(times, what, p.challenges, strict=True)
        ),
    }


def _corrected(p: PetParameters, frames: Frames, base: TimeBase, tracer: Tracer) -> Keys:
    """Say what was done about decay; a factor that was not applied is not told."""
    keys: Keys = {"ImageDecayCorrected": p.decay_corrected, "ImageDecayCorrectionTime": 0.0}
    factors = np.round(decay_factors(frames, base, tracer.decay), 6).tolist()
    return keys | ({"DecayCorrectionFactor": factors} if p.decay_corrected else {})


def _scanned(p: PetParameters, forward: Forward) -> Keys:
    """Say whose the scanner is and what it counted."""
    scanner = SCANNERS.get(p.scanner)
    makers = {"Manufacturer": scanner.manufacturer, "ManufacturersModelName": f"{scanner.model}, simulated"}
    return makers | count_keys(forward.context["counts"])


def _reconstructed(p: PetParameters) -> Keys:
    """Say how the image came about."""
    spread = {f"point_spread_fwhm_{axis}": fwhm for axis, fwhm in zip("xyz", p.point_spread, strict=True)}
    filtered: Keys = {"ReconFilterType": "none"}
    if p.post_filter:
        filtered = {"ReconFilterType": "Gaussian", "ReconFilterSize": p.post_filter}
    if p.tier == "projection":
        values: dict[str, float] = {"iterations": p.iterations, "subsets": p.subsets, "views": p.views}
        values |= spread if p.psf_model else {}
        return {
            "ReconMethodName": "OSEM with point spread" if p.psf_model else "OSEM",
            "ReconMethodParameterLabels": list(values),
            "ReconMethodParameterUnits": ["mm" if name in spread else "none" for name in values],
            "ReconMethodParameterValues": list(values.values()),
            **filtered,
            "AttenuationCorrection": "true attenuation map of the head, within the reconstruction",
            "ScatterCorrection": "expected scatter, within the reconstruction",
            "RandomsCorrection": "expected randoms, within the reconstruction",
        }
    return {
        "ReconMethodName": "simulated in image space",
        "ReconMethodParameterLabels": list(spread),
        "ReconMethodParameterUnits": ["mm"] * 3,
        "ReconMethodParameterValues": list(spread.values()),
        **filtered,
        "AttenuationCorrection": "none needed: simulated after correction for attenuation, scatter and randoms",
    }
