"""Kinetic analysis of regional curves as a PET centre does it.

Times are in minutes after injection; curves are frame means, decay-corrected, of shape (n, n_frames). `panels` says how integrals
are taken. By file: plots of Patlak and Logan, the reference tissue model, compartments driven by blood, displacement, late ratios; and what
chance gives.
"""

from __future__ import annotations

from fakeimaging.scoring.kinetics.chance import correlation_by_chance, drawn_means, highest, nearest, shuffled_slopes
from fakeimaging.scoring.kinetics.compartments import Fitted, one_tissue_fit, two_tissue_fit
from fakeimaging.scoring.kinetics.displacement import Released, gamma_variates, lassen_plot, occupancy, release_fit
from fakeimaging.scoring.kinetics.logan import LOGAN_START, logan, logan_plot, multilinear, reference_logan
from fakeimaging.scoring.kinetics.panels import Panels, panels, through
from fakeimaging.scoring.kinetics.patlak import LEAST_LATE, patlak, patlak_plot, reference_patlak, slopes
from fakeimaging.scoring.kinetics.plasma import Input, Known, Plasma
from fakeimaging.scoring.kinetics.reference import reference_tissue_descent, reference_tissue_fit
from fakeimaging.scoring.kinetics.suvr import suv, suvr, window_mean
from fakeimaging.scoring.kinetics.timing import LATE, Array, Timing

__all__ = [
    "LATE",
    "LEAST_LATE",
    "LOGAN_START",
    "Array",
    "Fitted",
    "Input",
    "Known",
    "Panels",
    "Plasma",
    "Released",
    "Timing",
    "correlation_by_chance",
    "drawn_means",
    "highest",
    "gamma_variates",
    "lassen_plot",
    "logan",
    "logan_plot",
    "nearest",
    "multilinear",
    "occupancy",
    "one_tissue_fit",
    "panels",
    "patlak",
    "patlak_plot",
    "reference_logan",
    "reference_patlak",
    "reference_tissue_descent",
    "reference_tissue_fit",
    "release_fit",
    "shuffled_slopes",
    "slopes",
    "suv",
    "suvr",
    "through",
    "two_tissue_fit",
    "window_mean",
]
