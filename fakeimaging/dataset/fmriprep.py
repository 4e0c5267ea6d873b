"""What a preprocessing pipeline would leave of a BOLD scan: of one echo directly, of several after their combination."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from fakeimaging.dataset.echoes import combine
from fakeimaging.dataset.job import Job
from fakeimaging.dataset.prep import Take, Undone, derivatives, estimated_motion, native_series
from fakeimaging.modalities.bold.distortion import true_unwarping
from fakeimaging.modalities.motion import rigid


@contextmanager
def preprocessing(job: Job) -> Iterator[Take]:
    """Open the derivative of a scan; what is yielded takes each observed volume in turn, and the end writes the rest."""
    motion = estimated_motion(job.recording)
    undone = Undone(np.stack([rigid(row) for row in motion]), true_unwarping(job.recording))
    several = bool(job.scan.part)
    with native_series(job, undone) if several else derivatives(job, motion, undone) as take:
        yield take
    if several and job.scan.is_last:
        combine(job, motion)
