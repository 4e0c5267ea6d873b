"""Pictures: each function returns a matplotlib figure and shows nothing by itself."""

from __future__ import annotations

from fakeimaging.plotting.figures import plot_connectivity, plot_connectome, plot_overview, plot_series, plot_slices

__all__ = ["plot_connectivity", "plot_connectome", "plot_overview", "plot_series", "plot_slices"]
