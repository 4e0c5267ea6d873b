"""EEG recordings as objects of MNE-Python: raw data with its montage, and the lead field as a forward solution. Imports mne."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro.electrodes import native_to_captrak
from fakeimaging.modalities.electro.lead_field import electric, native_electrodes, native_fiducials, to_native
from fakeimaging.modalities.layers import Series
from fakeimaging.modalities.recording import Recording
from fakeimaging.structure.subject import Subject

if TYPE_CHECKING:
    import mne

MILLIMETRE = 1e-3


def mne_info(subject: Subject, series: Series) -> mne.Info:
    """Return channels, rate and montage (head coordinates, fiducials included)."""
    import mne

    names = [channel.name for channel in series.channels]
    to_head = native_to_captrak(subject)
    where = MILLIMETRE * apply_affine(to_head, native_electrodes(subject, names))
    points = {name: MILLIMETRE * apply_affine(to_head, point) for name, point in native_fiducials(subject).items()}
    montage = mne.channels.make_dig_montage(
        dict(zip(names, where, strict=True)),
        nasion=points["NAS"],
        lpa=points["LPA"],
        rpa=points["RPA"],
        coord_frame="head",
    )
    return mne.create_info(names, series.clock.rate, "eeg", verbose="error").set_montage(montage)


def series_to_mne(recording: Recording, series: Series | None = None) -> mne.io.RawArray:
    """Return a recording as raw data of MNE-Python.

    Parameters
    ----------
    recording : Recording
    series : Series, optional
        Another stage of it, such as ``recording.clean``; what was observed when left out.
    """
    import mne

    chosen = recording.observed if series is None else series
    info = mne_info(recording.forward.context["subject"], chosen)
    with info._unlock():
        info["line_freq"] = recording.parameters.model_dump()["line_frequency"]
    return mne.io.RawArray(chosen.to_array().astype(np.float64), info, verbose="error")


def to_mne_forward(recording: Recording) -> mne.Forward:
    """Return the lead field of a recording's electrodes as a fixed-orientation forward solution of MNE-Python.

    The sources are the 20,484 vertices as a discrete source space, normals outward; no triangles are shipped, so it cannot
    be drawn as a surface. A head s times as large has 1/s^2 of the template's potential per moment. Potentials are relative to the mean of all 335 electrodes.
    """
    import mne
    from mne.io.constants import FIFF

    subject: Subject = recording.forward.context["subject"]
    names = [channel.name for channel in recording.clean.channels]
    field = electric().at(names)
    space, n = field.space, field.space.n_vertices
    native = apply_affine(to_native(subject), space.points)
    to_head = native_to_captrak(subject)
    points = MILLIMETRE * apply_affine(to_head, native)
    normals = space.normals.astype(np.float64) @ subject.anatomy.to_template[:3, :3] @ to_head[:3, :3].T
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    identity = mne.transforms.Transform("mri", "head")
    sources: Any = mne.setup_volume_source_space(pos={"rr": points, "nn": normals}, verbose="error")
    for source in sources:
        source["coord_frame"] = FIFF.FIFFV_COORD_HEAD
    scale = float(np.abs(np.linalg.det(subject.anatomy.to_template[:3, :3])) ** (2 / 3))
    gain = scale * field.columns()[:, :n]
    solution = {"data": gain, "nrow": len(names), "ncol": len(points), "row_names": names, "col_names": []}
    return mne.Forward(
        sol=solution, sol_grad=None, _orig_sol=gain.copy(), source_ori=FIFF.FIFFV_MNE_FIXED_ORI,
        _orig_source_ori=FIFF.FIFFV_MNE_FIXED_ORI, surf_ori=True, coord_frame=FIFF.FIFFV_COORD_HEAD, nsource=len(points),
        nchan=len(names), src=sources, source_rr=points, source_nn=normals, mri_head_t=identity,
        info=mne_info(subject, recording.clean),
    )  # fmt: skip
