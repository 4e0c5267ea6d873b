"""True courses behind the noise of a BOLD scan, one row a volume: heart and breathing, drift, head motion; and the phases of each slice.

Columns hold for the middle of the volume. The Fourier terms are those of RETROICOR (Glover et al. 2000) at the orders that are
simulated; a volume's slices are spread over its repetition time, so their own phases lie in ``sourcedata``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology import Physiology
from fakeimaging.dataset.confounds import MOTION
from fakeimaging.dataset.images import write_array
from fakeimaging.dataset.job import Job
from fakeimaging.dataset.names import TRUTH
from fakeimaging.dataset.transforms import write_transform
from fakeimaging.modalities.bold.drift import drift_courses
from fakeimaging.modalities.bold.heart_rate import heart_rate, rate_course
from fakeimaging.modalities.bold.physio import HARMONICS, volume_course
from fakeimaging.modalities.motion import framewise_displacement, rigid
from fakeimaging.modalities.recording import Recording

Columns = dict[str, npt.NDArray[np.float64]]
DRIFTS = ("drift", "drift_x", "drift_y", "drift_z")
"""Drift that is the same everywhere, and what is added from -1 to 1 along each axis of the image."""


def true_motion(recording: Recording) -> npt.NDArray[np.float64]:
    """Return how the head lay in each volume, shape (n_volumes, 6): mm and rad; 0 where it was held still."""
    if "motion" not in recording.stages:
        return np.zeros((recording.clean.n_volumes, 6))
    return np.asarray(recording.recipe("motion")["parameters"])


def body_courses(body: Physiology, times: npt.NDArray[np.float64]) -> Columns:
    """Return what heart and breathing do at ``times`` (s)."""
    phases = {"cardiac": body.cardiac_phase(times), "respiratory": body.respiratory_phase(times)}
    columns = {f"{name}_phase": phase for name, phase in phases.items()}
    for name, phase in phases.items():
        for k in range(1, len(HARMONICS) + 1):
            columns |= {f"{name}_cos{k}": np.cos(k * phase), f"{name}_sin{k}": np.sin(k * phase)}
    columns |= {"heart_rate": heart_rate(body, times), "heart_rate_response": rate_course(body, times)}
    columns["respiratory_volume"] = body.respiratory_volume(times)
    columns["respiratory_volume_response"] = volume_course(body, times)
    return columns


def true_courses(recording: Recording) -> Columns:
    """Return every column, shape (n_volumes,) each."""
    clock, motion = recording.clean.clock, true_motion(recording)
    columns = body_courses(recording.forward.context["physiology"], clock.times + clock.step / 2)
    if "drift" in recording.stages:
        courses = drift_courses(recording.recipe("drift"), clock.n)
        columns |= dict(zip(DRIFTS, courses.T, strict=True))
    columns |= dict(zip(MOTION, motion.T, strict=True))
    return columns | {"framewise_displacement": framewise_displacement(motion)}


def _about(columns: Columns) -> dict[str, Any]:
    words = {
        "cardiac_phase": ("share of the beat that has passed, 0 at the R peak", "rad"),
        "respiratory_phase": ("phase of breathing (Glover et al. 2000), negative during expiration", "rad"),
        "heart_rate": ("beats a minute within 6 s", "1/min"),
        "heart_rate_response": ("its convolution with the response of Chang et al. 2009, unit variance", "1"),
        "respiratory_volume": ("depth over period of the breaths, relative to its mean", "1"),
        "respiratory_volume_response": ("its convolution with the response of Birn et al. 2008, unit variance", "1"),
        "framewise_displacement": ("Power et al. 2012, of the true motion", "mm"),
    }
    words |= {name: ("relative change of the whole signal", "1") for name in DRIFTS}
    words |= {name: ("true motion relative to t = 0, about the isocentre", "mm") for name in MOTION[:3]}
    words |= {name: ("true motion relative to t = 0, about the isocentre", "rad") for name in MOTION[3:]}
    known = {name: words.get(name, ("Fourier term of RETROICOR", "1")) for name in columns}
    return {name: {"Description": text, "Units": unit} for name, (text, unit) in known.items()}


def write_courses(job: Job) -> None:
    """Write the table, the motion as matrices, and the phases of each slice."""
    recording, beside = job.recording, job.scan.beside
    columns = true_courses(recording)
    job.table(TRUTH / beside("desc-truth_timeseries.tsv", part=False), columns, _about(columns))
    path = TRUTH / beside("from-orig_to-boldref_mode-image_desc-truth_xfm.txt", part=False)
    write_transform(job, path, *(rigid(row) for row in true_motion(recording)))
    body = recording.forward.context["physiology"]
    times = recording.clean.clock.times[:, None] + recording.forward.context["slice_times"]
    phases = np.stack([body.cardiac_phase(times), body.respiratory_phase(times)], axis=-1).astype(np.float32)
    path = job.scan.shared("slice-phases.npy")
    job.note(path, write_array(job.root / path, phases))
    about = {"axes": ["volume", "slice", "cardiac, respiratory"], "unit": "rad"}
    job.describe(path, about)
