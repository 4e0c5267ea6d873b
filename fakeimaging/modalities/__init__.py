"""What an instrument sees: one file a modality. `MODALITIES` finds them by name."""

from __future__ import annotations

from fakeimaging.core.registry import Registry
from fakeimaging.modalities.modality import Modality

MODALITIES: Registry[Modality] = Registry(
    "modality",
    "fakeimaging.modalities",
    {
        "bold": "fakeimaging.modalities.bold:MODALITY",
        "pet": "fakeimaging.modalities.pet:MODALITY",
        "eeg": "fakeimaging.modalities.eeg:MODALITY",
        "ieeg": "fakeimaging.modalities.ieeg:MODALITY",
        "meg": "fakeimaging.modalities.meg:MODALITY",
        "t1w": "fakeimaging.modalities.t1w:MODALITY",
    },
    {"seeg": "ieeg", "ecog": "ieeg", "fmri": "bold"},
)
