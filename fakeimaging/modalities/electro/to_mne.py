"""Recordings as objects of MNE-Python: raw data with sensors, the field as a forward solution, true sources, events. Imports mne."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.activity import Activity
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro.electrodes import native_to_captrak
from fakeimaging.modalities.electro.filters import band_of
from fakeimaging.modalities.electro.lead_field import native_fiducials, to_native
from fakeimaging.modalities.electro.own_forward import read_solution
from fakeimaging.modalities.electro.projection import Courses, moments
from fakeimaging.modalities.electro.sources import SourceSpace, field_scale
from fakeimaging.modalities.layers import Series
from fakeimaging.modalities.recording import Recording
from fakeimaging.structure.subject import Subject
from fakeimaging.structure.surfaces import HEMISPHERES, cortex

if TYPE_CHECKING:
    import mne
    import pandas

MILLIMETRE = 1e-3
KINDS = {
    "EEG": "eeg", "VEOG": "eog", "HEOG": "eog", "ECG": "ecg", "EMG": "emg", "MEGMAG": "mag", "MEGGRADPLANAR": "grad",
    "MEGGRADAXIAL": "mag", "ECOG": "ecog", "SEEG": "seeg", "TRIG": "stim", "MISC": "misc",
}  # fmt: skip
"""BIDS' types of channels and mne's; to mne an axial gradiometer is a kind of magnetometer."""
LARGEST = 2 * 2**30
"""Bytes of true sources that are made at once."""


def mne_info(recording: Recording, series: Series) -> mne.Info:
    """Return channels, sensors (head coordinates, fiducials included), rate, filters, mains and bad channels."""
    import mne

    names = [channel.name for channel in series.channels]
    info = mne.create_info(names, series.clock.rate, [KINDS[c.kind] for c in series.channels], verbose="error")
    info.set_montage(montage_of(recording.forward.context), on_missing="ignore")
    high, low = band_of(recording)
    with info._unlock():
        info["line_freq"] = recording.parameters.model_dump().get("line_frequency")
        info["highpass"] = info["highpass"] if high is None else high
        info["lowpass"] = info["lowpass"] if low is None else low
        _set_coils(info, recording.forward.context)
    info["bads"] = [name for name in recording.bad_channels if name in names]
    return info


def _set_coils(info: mne.Info, context: Mapping[str, Any]) -> None:
    """Fill in the coils of a magnetometer's channels, and where the head lies below them."""
    import mne
    from mne.io.constants import FIFF

    if "coils" not in context:
        return
    for channel in info["chs"]:
        if channel["ch_name"] in context["coils"]:
            coil_type, loc = context["coils"][channel["ch_name"]]
            channel["coil_type"], channel["loc"] = int(coil_type), np.array(loc, dtype=float)
            channel["coord_frame"] = FIFF.FIFFV_COORD_DEVICE
    info["dev_head_t"] = mne.transforms.Transform("meg", "head", context["dev_head_t"])


def montage_of(context: Mapping[str, Any]) -> mne.channels.DigMontage:
    """Return electrodes, fiducials and what else is digitised on a subject's head, in head coordinates (m)."""
    import mne

    subject, sensors = context["subject"], context["sensors"]
    to_head = native_to_captrak(subject)
    where = MILLIMETRE * apply_affine(to_head, sensors.positions)
    points = {name: MILLIMETRE * apply_affine(to_head, point) for name, point in native_fiducials(subject).items()}
    kept = [i for i in sensors.rows("EEG", "ECOG", "SEEG") if np.isfinite(where[i]).all()]
    return mne.channels.make_dig_montage(
        {sensors.names[i]: where[i] for i in kept},
        nasion=points["NAS"],
        lpa=points["LPA"],
        rpa=points["RPA"],
        hsp=context.get("head_shape"),
        hpi=context.get("head_coils"),
        coord_frame="head",
    )


def series_to_mne(recording: Recording, series: Series | None = None) -> mne.io.RawArray:
    """Return a recording as raw data of MNE-Python, its events as annotations.

    Parameters
    ----------
    recording : Recording
    series : Series, optional
        Another stage of it, such as ``recording.clean``; what was observed when left out.
    """
    import mne

    chosen = recording.observed if series is None else series
    raw = mne.io.RawArray(chosen.to_array().astype(np.float64), mne_info(recording, chosen), verbose="error")
    events = _activity(recording).events
    if events:
        onsets, durations, names = zip(*(event[:3] for event in events), strict=True)
        raw.set_annotations(mne.Annotations(onsets, durations, names))
    return raw


def _activity(recording: Recording) -> Activity:
    activity = recording.source[1]
    if activity is None:
        raise InputError(f"{recording.modality.name} images no activity")
    return activity


def to_mne_events(recording: Recording) -> tuple[npt.NDArray[np.int64], dict[str, int], pandas.DataFrame]:
    """Return events as mne has them, their codes by name, and a row of metadata for each: what an `mne.Epochs` takes.

    Metadata hold onset, duration and trial type, the size of the event, and for each imposed source that answers to it the
    true amplitude and latency (s) of that trial.
    """
    import pandas as pd

    activity = _activity(recording)
    events = activity.events
    codes = {name: code for code, name in enumerate(sorted({event.trial_type for event in events}), 1)}
    samples = [round(event.onset * recording.clean.clock.rate) for event in events]
    array = np.array([[s, 0, codes[e.trial_type]] for s, e in zip(samples, events, strict=True)], dtype=np.int64)
    rows = [
        {"onset": e.onset, "duration": e.duration, "trial_type": e.trial_type, "modulation": e.modulation}
        for e in events
    ]
    table = pd.DataFrame(rows, columns=["onset", "duration", "trial_type", "modulation"])
    return array.reshape(-1, 3), codes, table.assign(**_trials(activity))


def _trials(activity: Activity) -> dict[str, npt.NDArray[np.float64]]:
    """Amplitude and latency of the trial of each source at each event, by column; NaN where a source does not answer."""
    specs = {source.name: source.spec for source in activity.sources}
    columns = {}
    for source in activity.sources:
        leader = source.spec
        while leader.follows is not None:
            leader = specs[leader.follows]
        if source.trials is None or leader.trial_type is None:
            continue
        answered = [event.trial_type == leader.trial_type for event in activity.events]
        for name in ("amplitude", "latency"):
            column = np.full(len(answered), np.nan)
            column[answered] = getattr(source.trials, name)
            columns[f"{source.name}_{name}"] = column
    return columns


def true_sources(recording: Recording, start: float = 0.0, stop: float | None = None) -> npt.NDArray[np.float32]:
    """Return the true moment of every source in Am at the samples of a recording, shape (n_columns, n_samples).

    Parameters
    ----------
    recording : Recording
    start, stop : float
        Seconds of the run.

    Raises
    ------
    InputError
        If that is more than 2 GB.
    """
    from scipy.sparse import vstack

    subject, activity, part = (
        recording.forward.context["subject"],
        _activity(recording),
        _window(recording, start, stop),
    )
    space: SourceSpace = recording.forward.context["field"].space
    if 4 * space.n_columns * part.n > LARGEST:
        most = LARGEST / 4 / space.n_columns / part.rate
        raise InputError(f"{part.n / part.rate:g} s of every source do not fit; ask for {most:.3g} s at most")
    courses = Courses(activity, recording.clean.clock, f"{recording.modality.name}.sampling_frequency")
    parts = [weights for weights in moments(subject, activity, space) if weights is not None]
    series = np.concatenate([courses.at(part), courses.imposed(part)])
    return np.asarray(vstack(parts).T @ series / np.float32(field_scale(subject, space)), dtype=np.float32)


def _window(recording: Recording, start: float, stop: float | None) -> Clock:
    clock: Clock = recording.clean.clock
    first, last = clock.index(start), clock.n if stop is None else clock.index(stop)
    if last <= first:
        raise InputError(f"no sample lies from {start:g} s to {stop} s")
    return Clock(clock.start + first * clock.step, clock.step, last - first)


def to_mne_sources(recording: Recording, start: float = 0.0, stop: float | None = None) -> mne.SourceEstimate:
    """Return the true moments of the cortex (Am, along the outward normals) on fsaverage5's vertices, for a stretch of time in s.

    Where the recording was made with a forward solution of one's own, on the sources of that.
    """
    import mne

    part = _window(recording, start, stop)
    space: SourceSpace = recording.forward.context["field"].space
    n_left = int(space.left.sum())
    vertices, subject = [np.arange(n_left), np.arange(space.n_vertices - n_left)], "fsaverage"
    if space.native:
        sources = read_solution(recording.parameters.head_model)["src"]
        vertices, subject = [source["vertno"] for source in sources], sources[0].get("subject_his_id")
    data = true_sources(recording, start, stop)[: space.n_vertices]
    kind = mne.SourceEstimate if len(vertices) == 2 else mne.VolSourceEstimate
    return kind(data, vertices, part.start, part.step, subject=subject, verbose="error")


def to_mne_forward(recording: Recording) -> mne.Forward:
    """Return the field of a recording's sensors as a fixed-orientation forward solution of MNE-Python.

    The sources are the 20,484 vertices of fsaverage5 as the middle of the subject's cortex, normals outward. A head s times as
    large has 1/s^2 of the template's field per moment. Potentials are relative to the mean of 335 electrodes. A recording made
    with a forward solution of one's own gives that one's channels back. Nuclei and the cerebellum, of which mne's surfaces know
    nothing, are left out: they make some per cent of EEG and MEG at rest, and what contacts inside them see.
    """
    import mne
    from mne.io.constants import FIFF

    field, subject = recording.forward.context["field"], recording.forward.context["subject"]
    rows = recording.clean.rows("EEG", "MEGMAG", "MEGGRADPLANAR", "MEGGRADAXIAL", "ECOG", "SEEG")
    names = [recording.clean.channels[i].name for i in rows]
    if field.space.native:
        return mne.pick_channels_forward(
            read_solution(recording.parameters.head_model), names, ordered=True, verbose="error"
        )
    info = mne.pick_info(mne_info(recording, recording.clean), list(rows), verbose="error")
    info["bads"] = []
    to_head = mne.transforms.Transform("mri", "head")
    with info._unlock():
        # What mne's writer of forward solutions asks for beside channels.
        info.update(mri_file="", mri_id=None, meas_file="", meas_id=None, mri_head_t=to_head)
    sources = surface_sources(subject, field.space)
    gain = field_scale(subject, field.space) * field.columns()[:, : field.space.n_vertices]
    points, normals = (np.concatenate([source[key] for source in sources]) for key in ("rr", "nn"))
    solution = {"data": gain, "nrow": len(names), "ncol": len(points), "row_names": names, "col_names": []}
    return mne.Forward(
        sol=solution, sol_grad=None, _orig_sol=gain.copy(), source_ori=FIFF.FIFFV_MNE_FIXED_ORI,
        _orig_source_ori=FIFF.FIFFV_MNE_FIXED_ORI, surf_ori=True, coord_frame=FIFF.FIFFV_COORD_HEAD, nsource=len(points),
        nchan=len(names), src=sources, source_rr=points, source_nn=normals,
        mri_head_t=to_head, info=info,
    )  # fmt: skip


def surface_sources(subject: Subject, space: SourceSpace) -> mne.SourceSpaces:
    """Return the vertices as two surfaces of MNE-Python in the subject's head coordinates (m)."""
    import mne
    from mne.io.constants import FIFF

    to_head = native_to_captrak(subject) @ to_native(subject)
    points = MILLIMETRE * apply_affine(to_head, space.points)
    # A plane's normal turns with the inverse transpose; poses are nearly rigid, so that this matters little.
    normals = space.normals.astype(np.float64) @ np.linalg.inv(to_head[:3, :3])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    found = []
    for side, mine, number in zip(HEMISPHERES, (space.left, ~space.left), (101, 102), strict=True):
        n, triangles = int(mine.sum()), cortex(side).triangles
        found.append({
            "id": number, "type": "surf", "coord_frame": FIFF.FIFFV_COORD_HEAD, "rr": points[mine], "nn": normals[mine],
            "np": n, "tris": triangles.astype(np.int32), "ntri": len(triangles), "use_tris": triangles.astype(np.int32),
            "nuse_tri": len(triangles), "inuse": np.ones(n, dtype=int), "vertno": np.arange(n), "nuse": n, "dist": None,
            "dist_limit": None, "nearest": None, "nearest_dist": None, "pinfo": None, "patch_inds": None,
            "subject_his_id": "fsaverage",
        })  # fmt: skip
    return mne.SourceSpaces(found)
