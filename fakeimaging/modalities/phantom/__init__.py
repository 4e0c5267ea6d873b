"""fMRI without anatomy: series of voxels or regions, and a small phantom, each with every part of it known, in about a second."""

from fakeimaging.modalities.phantom.build import Phantom, PhantomTruth, null_runs, phantom
from fakeimaging.modalities.phantom.connectivity import network_correlation
from fakeimaging.modalities.phantom.parameters import TERMS, PhantomParameters, SeriesParameters
from fakeimaging.modalities.phantom.series import Series, simulate_series

__all__ = [
    "TERMS",
    "Phantom",
    "PhantomParameters",
    "PhantomTruth",
    "Series",
    "SeriesParameters",
    "network_correlation",
    "null_runs",
    "phantom",
    "simulate_series",
]
