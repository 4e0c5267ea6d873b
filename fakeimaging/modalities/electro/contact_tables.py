"""The tables of contacts: where they are, for BIDS, and what is around them, for the truth.

Raw positions are in the scanner's millimetres of the subject's T1w (ScanRAS); columns beside them tell the same places in the template.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro.implants import Implant
from fakeimaging.modalities.electro.lead_field import to_native
from fakeimaging.modalities.electro.placement import REACH, Contacts
from fakeimaging.modalities.layers import Companion
from fakeimaging.structure.subject import Subject

SYSTEM = "ScanRAS"
MATERIAL = "platinum"
NATIVE = {"SpatialReference": "orig"}
"""What BIDS wants of a derivative: the space is the subject's own."""
WORDS = {"grey": "grey matter", "white": "white matter", "csf": "cerebrospinal fluid", "bone": "bone", "scalp": "scalp"}


def region_words(subject: Subject, around: Mapping[str, npt.NDArray]) -> list[str]:
    """Return the region that each contact counts for, or the tissue it lies in where none is near."""
    regions = [region.name for region in subject.regions]
    return [
        regions[label - 1] if label else WORDS.get(str(tissue), "outside")
        for label, tissue in zip(around["region"], around["tissue"], strict=True)
    ]


def size_of(device: Implant) -> float:
    """Return the bare surface of a contact in mm2."""
    area = device.width * device.length if device.kind == "shaft" else device.width**2 / 4
    return math.pi * area


def electrode_tables(
    subject: Subject, devices: Sequence[Implant], contacts: Contacts, around: Mapping[str, npt.NDArray]
) -> tuple[Companion, ...]:
    """Return the tables ``electrodes`` and ``coordsystem``, for the raw files and once more for the clean ones."""
    native = apply_affine(to_native(subject), contacts.points)
    owners = [device for device in devices for _ in device.names]
    rows = [
        [
            name, *_rounded(here), round(size_of(device), 3), MATERIAL, "simulated", device.name,
            "L" if there[0] < 0 else "R", "ring" if device.kind == "shaft" else "disc",
            "[" + "x".join(map(str, sorted(device.shape))) + "]", region, *_rounded(there),
        ]
        for name, here, there, device, region in zip(
            contacts.names, native, contacts.points, owners, region_words(subject, around), strict=True
        )
    ]  # fmt: skip
    about = {
        "region": {"Description": f"region within {REACH:g} mm of the contact, or the tissue it lies in; exact"},
        **{
            f"{axis}_template": {"Description": f"{axis} in {subject.parcellation.space}", "Units": "mm"}
            for axis in "xyz"
        },
    }
    fixed = ("name", "x", "y", "z", "size", "material", "manufacturer", "group", "hemisphere", "type", "dimension")
    coordinates = {
        "iEEGCoordinateSystem": SYSTEM,
        "iEEGCoordinateUnits": "mm",
        "iEEGCoordinateSystemDescription": "scanner coordinates of the T1w image: x to the right, y to the front, z up",
        "iEEGCoordinateProcessingDescription": "none: exact, not read off an image",
        "iEEGCoordinateProcessingReference": "n/a",
    }
    tables = (
        Companion(f"space-{SYSTEM}_electrodes", (*fixed, *about), rows, about, shared=True),
        Companion(f"space-{SYSTEM}_coordsystem", about=coordinates, shared=True),
    )
    # BIDS wants electrodes beside every file of intracranial EEG, so the derivative with the clean signal has them too.
    return (*tables, *(replace(table, truth=True, about={**table.about, **NATIVE}) for table in tables))


def truth_table(subject: Subject, contacts: Contacts, around: Mapping[str, npt.NDArray]) -> Companion:
    """Return what is around each contact, for the truth: region, distance, tissue, depth below the brain's outer surface."""
    columns = zip(
        contacts.names, around["region"], region_words(subject, around), around["distance"], around["tissue"],
        around["depth"], strict=True,
    )  # fmt: skip
    rows = [
        [
            name,
            int(label) or None,
            region,
            None if np.isnan(away) else round(float(away), 3),
            str(tissue),
            round(float(deep), 3),
        ]
        for name, label, region, away, tissue, deep in columns
    ]
    about = {
        "region_index": {"Description": f"number of the nearest region within {REACH:g} mm, counted from 1"},
        "region": {"Description": "its name, or the tissue where there is none"},
        "distance": {"Description": "from the middle of the contact to that region", "Units": "mm"},
        "tissue": {"Description": "tissue that takes most of the template's voxel there"},
        "depth": {"Description": "below the outer surface of the brain, negative outside", "Units": "mm"},
    }
    return Companion("contacts", ("name", *about), rows, about, truth=True, named=False, shared=True)


def _rounded(point: npt.NDArray) -> list[float]:
    return np.round(point, 3).tolist()
