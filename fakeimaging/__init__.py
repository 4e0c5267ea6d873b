"""fakeimaging: synthetic neuroimaging with exact truth. One simulated brain network, seen by every scanner.

Public names load when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Activity": "activity.activity",
    "Condition": "activity.stimuli",
    "Connectome": "structure.connectome",
    "Dataset": "dataset.load",
    "Design": "activity.stimuli",
    "FakeImagingError": "core.errors",
    "Grid": "core.spaces",
    "MODALITIES": "modalities",
    "MODELS": "activity.models",
    "Match": "modalities.match",
    "Modality": "modalities.modality",
    "Model": "activity.model",
    "NetSim": "activity.netsim",
    "Observable": "activity.model",
    "Parameters": "core.parameters",
    "Phantom": "modalities.phantom",
    "Recording": "modalities.recording",
    "Rotation": "activity.model",
    "Setup": "activity.model",
    "SpatialCorrelation": "modalities.smoothness",
    "Stage": "modalities.layers",
    "Streams": "core.streams",
    "Study": "dataset.study",
    "Subject": "structure.subject",
    "acquire": "modalities.acquire",
    "lesion": "structure.lesion",
    "load": "dataset.load",
    "make_subject": "structure.subject",
    "match": "modalities.match",
    "netsim": "activity.netsim",
    "null_maps": "modalities.smoothness",
    "null_runs": "modalities.phantom",
    "parameter": "core.parameters",
    "phantom": "modalities.phantom",
    "read_connectome": "structure.formats",
    "read_netsim": "activity.netsim",
    "read_study": "dataset.study",
    "score": "scoring",
    "score_discovery": "scoring.discovery",
    "simulate_activities": "activity.together",
    "simulate_activity": "activity.activity",
    "simulate_series": "modalities.phantom",
    "simulate_study": "dataset.cohort",
    "surface_series": "modalities.bold.surface",
    "sweep": "activity.sweep",
    "write_connectome": "structure.formats",
    "write_netsim": "activity.netsim",
}

__all__ = [
    "Activity",
    "Condition",
    "Connectome",
    "Dataset",
    "Design",
    "FakeImagingError",
    "Grid",
    "MODALITIES",
    "MODELS",
    "Match",
    "Modality",
    "Model",
    "NetSim",
    "Observable",
    "Parameters",
    "Phantom",
    "Recording",
    "Rotation",
    "Setup",
    "SpatialCorrelation",
    "Stage",
    "Streams",
    "Study",
    "Subject",
    "acquire",
    "lesion",
    "load",
    "make_subject",
    "match",
    "netsim",
    "null_maps",
    "null_runs",
    "parameter",
    "phantom",
    "read_connectome",
    "read_netsim",
    "read_study",
    "score",
    "score_discovery",
    "simulate_activities",
    "simulate_activity",
    "simulate_series",
    "simulate_study",
    "surface_series",
    "sweep",
    "write_connectome",
    "write_netsim",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fakeimaging' has no attribute '{name}'")
    module = importlib.import_module(f"fakeimaging.{_HOMES[name]}")
    return module if name == "score" else getattr(module, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


if TYPE_CHECKING:
    from fakeimaging import scoring as score
    from fakeimaging.activity.activity import Activity, simulate_activity
    from fakeimaging.activity.model import Model, Observable, Rotation, Setup
    from fakeimaging.activity.models import MODELS
    from fakeimaging.activity.netsim import NetSim, netsim, read_netsim, write_netsim
    from fakeimaging.activity.stimuli import Condition, Design
    from fakeimaging.activity.sweep import sweep
    from fakeimaging.activity.together import simulate_activities
    from fakeimaging.core.errors import FakeImagingError
    from fakeimaging.core.parameters import Parameters, parameter
    from fakeimaging.core.spaces import Grid
    from fakeimaging.core.streams import Streams
    from fakeimaging.dataset.cohort import simulate_study
    from fakeimaging.dataset.load import Dataset, load
    from fakeimaging.dataset.study import Study, read_study
    from fakeimaging.modalities import MODALITIES
    from fakeimaging.modalities.acquire import acquire
    from fakeimaging.modalities.bold.surface import surface_series
    from fakeimaging.modalities.layers import Stage
    from fakeimaging.modalities.match import Match, match
    from fakeimaging.modalities.modality import Modality
    from fakeimaging.modalities.phantom import Phantom, null_runs, phantom, simulate_series
    from fakeimaging.modalities.recording import Recording
    from fakeimaging.modalities.smoothness import SpatialCorrelation, null_maps
    from fakeimaging.scoring.discovery import score_discovery
    from fakeimaging.structure.connectome import Connectome
    from fakeimaging.structure.formats import read_connectome, write_connectome
    from fakeimaging.structure.lesion import lesion
    from fakeimaging.structure.subject import Subject, make_subject
