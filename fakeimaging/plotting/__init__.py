"""Pictures: each function returns a matplotlib figure and shows nothing by itself; a report is one page of them.

`PICTURES` finds by modality what yields the pictures of a scan: ``pictures(dataset, scan)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fakeimaging.core.registry import Registry
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.plotting.bold import Carpet, Response, plot_activation, plot_carpet, plot_series
from fakeimaging.plotting.canvas import Picture, Volume
from fakeimaging.plotting.connectivity import plot_connectivity
from fakeimaging.plotting.eeg import Eeg, electrode_map, plot_eeg
from fakeimaging.plotting.ieeg import Ieeg, plot_ieeg
from fakeimaging.plotting.meg import Meg, plot_meg
from fakeimaging.plotting.overview import plot_overview
from fakeimaging.plotting.pet import Curves, plot_constants, plot_curves
from fakeimaging.plotting.physiology import plot_physiology
from fakeimaging.plotting.structure import plot_connectome, plot_weights
from fakeimaging.plotting.topography import plot_topographies
from fakeimaging.plotting.traces import Traces, band_amplitude, plot_spectra, plot_traces
from fakeimaging.plotting.volumes import Scale, plot_planes, plot_rows, plot_slices

__all__ = [
    "PICTURES",
    "Carpet",
    "Curves",
    "Eeg",
    "Ieeg",
    "Meg",
    "Picture",
    "Response",
    "Scale",
    "Traces",
    "Volume",
    "band_amplitude",
    "electrode_map",
    "plot_activation",
    "plot_carpet",
    "plot_connectivity",
    "plot_connectome",
    "plot_constants",
    "plot_curves",
    "plot_eeg",
    "plot_ieeg",
    "plot_meg",
    "plot_overview",
    "plot_physiology",
    "plot_planes",
    "plot_rows",
    "plot_series",
    "plot_slices",
    "plot_spectra",
    "plot_topographies",
    "plot_traces",
    "plot_weights",
]

PICTURES: Registry[Callable[[Dataset, Scan], Iterable[Picture]]] = Registry(
    "picture",
    "fakeimaging.pictures",
    {
        "bold": "fakeimaging.plotting.bold:pictures",
        "eeg": "fakeimaging.plotting.eeg:pictures",
        "ieeg": "fakeimaging.plotting.ieeg:pictures",
        "meg": "fakeimaging.plotting.meg:pictures",
        "pet": "fakeimaging.plotting.pet:pictures",
        "t1w": "fakeimaging.plotting.structure:pictures",
    },
)
