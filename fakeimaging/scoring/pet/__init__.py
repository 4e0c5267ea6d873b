"""Scores of a PET scan: what the tracer's usual analyses recover of the constants of each region.

Estimates read the raw image, its sidecar, the blood samples, the label image, and the tissue of the subject as a perfect segmentation
would give it. Truth comes twice: as the same analysis gives it from the clean image behind the point spread with the true blood (what a
perfect scan of this resolution shows in the same voxels), and that of the tissue itself; the ratio of the two is the partial-volume bias.
A row ``<name>_gtm`` is the estimate after the geometric transfer matrix has undone partial volume, against the tissue itself.
"""

from __future__ import annotations

from fakeimaging.scoring.pet.analyses import Recovered, recovered
from fakeimaging.scoring.pet.opened import Measured, Opened, opened, read_blood, timing_of, to_injection
from fakeimaging.scoring.pet.rows import late_snr, score_pet

__all__ = [
    "Measured",
    "Opened",
    "Recovered",
    "late_snr",
    "opened",
    "read_blood",
    "recovered",
    "score_pet",
    "timing_of",
    "to_injection",
]
