"""Files of EEG, MEG and intracranial EEG: which writer, and what stands in a file beside the samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.files import Written
from fakeimaging.core.spaces import apply_affine
from fakeimaging.dataset import brainvision, edf, eeglab, fif
from fakeimaging.dataset.marks import marks_of
from fakeimaging.modalities.electro.electrodes import native_to_captrak
from fakeimaging.modalities.electro.filters import band_of
from fakeimaging.modalities.electro.lead_field import native_fiducials
from fakeimaging.modalities.electro.sphere import fit_sphere
from fakeimaging.modalities.layers import Series
from fakeimaging.modalities.recording import Recording

MILLI = 1e-3
Span = tuple[float, float, str]


def write_series(
    recording: Recording, path: Path, *, series: Series | None = None, marked: bool = True
) -> dict[str, Written]:
    """Write a series in the format that the ending of the path names.

    Parameters
    ----------
    recording : Recording
    path : Path
        Ends in ``.vhdr``, ``.fif``, ``.edf`` or ``.set``.
    series : Series, optional
        Another stage of it; what was observed when left out.
    marked : bool
        Whether events and triggers of volumes stand in it.

    Returns
    -------
    dict of str to Written
        What was written, by file name.

    Raises
    ------
    InputError
        If a value does not fit the format.
    """
    chosen = recording.observed if series is None else series
    events, volumes = _marks(recording) if marked else ((), ())
    if path.suffix == ".fif":
        return fif.write_fif(path, chosen, fif_info(recording, chosen, events, volumes), sample_format="int16")
    if path.suffix == ".edf":
        return edf.write_edf(path, chosen, events, volumes=volumes)
    if path.suffix == ".set":
        return eeglab.write_set(path, chosen, events, volumes=volumes, positions=_about_the_middle(recording))
    return brainvision.write_brainvision(path, chosen, events, volumes=volumes, reference=_reference(recording))


def read_part(path: Path, like: Series, v: int) -> npt.NDArray[np.float32]:
    """Return the samples of one part of a series like this one from a file that `write_series` wrote, shape (n_channels, n)."""
    if path.suffix in (".edf", ".set"):
        whole = edf.read_samples(path, like) if path.suffix == ".edf" else eeglab.read_samples(path)
        first = v * (like.block or 0)
        return whole[:, first : first + like.part(v).n]
    reader = fif.read_samples if path.suffix == ".fif" else brainvision.read_samples
    return reader(path, like, v)


def _marks(recording: Recording) -> tuple[tuple[Span, ...], tuple[float, ...]]:
    activity = recording.source[1]
    events = () if activity is None else tuple((e.onset, e.duration, e.trial_type) for e in activity.events)
    return events, tuple(np.asarray(recording.forward.context.get("triggers", ()), dtype=float).tolist())


def _reference(recording: Recording) -> str:
    """The electrode that a recording is against; nothing where it is none."""
    chosen = str(recording.parameters.model_dump().get("reference", ""))
    return chosen if chosen in recording.forward.context["sensors"].names else ""


def positions(recording: Recording) -> Any:
    """Return where sensors lie in head coordinates, m, shape (n_channels, 3); NaN for those that are nowhere."""
    context = recording.forward.context
    return MILLI * apply_affine(native_to_captrak(context["subject"]), context["sensors"].positions)


def _about_the_middle(recording: Recording) -> Any:
    """Positions as EEGLAB has them: from the middle of the sphere that electrodes on a head lie on."""
    found = positions(recording)
    rows = recording.clean.rows("EEG")
    if len(rows) < 8:
        return found
    return found - fit_sphere(found[rows])[0]


def fif_info(recording: Recording, series: Series, events: tuple[Span, ...], volumes: tuple[float, ...]) -> fif.FifInfo:
    """Return what a FIF file says beside its samples: coils, landmarks, filters, bad channels, annotations."""
    context, known = recording.forward.context, recording.parameters.model_dump()
    subject, start = context["subject"], series.clock.start
    high, low = band_of(recording)
    locations, coil_types = _locations(recording, series)
    marks = marks_of(series.clock, events, volumes, ())
    return fif.FifInfo(
        locations=locations,
        coil_types=coil_types,
        device_to_head=context.get("dev_head_t"),
        digitised=_digitised(recording),
        line_frequency=known.get("line_frequency"),
        highpass=high,
        lowpass=low,
        bads=tuple(recording.bad_channels),
        annotations=tuple((mark.onset + start, mark.duration, mark.text) for mark in marks),
        description="simulated by fakeimaging",
        subject=subject.label,
    )


def _locations(recording: Recording, series: Series) -> tuple[Any, tuple[int, ...]]:
    """The twelve numbers and the type of each channel's coil; an electrode's place, and NaN for what lies nowhere."""
    coils = recording.forward.context.get("coils", {})
    locations = np.full((len(series.channels), 12), np.nan)
    kinds = []
    for row, (channel, place) in enumerate(zip(series.channels, positions(recording), strict=True)):
        coil, loc = coils.get(channel.name, (0, None))
        kinds.append(int(coil))
        if loc is not None:
            locations[row] = loc
        elif np.isfinite(place).all():
            locations[row] = [*place, *[0.0] * 9]
    return locations, tuple(kinds)


def _digitised(recording: Recording) -> fif.Digitised:
    subject = recording.forward.context["subject"]
    to_head, points = native_to_captrak(subject), native_fiducials(subject)
    fiducials = MILLI * apply_affine(to_head, np.array([points[name] for name in ("LPA", "NAS", "RPA")]))
    rows = recording.clean.rows("EEG")
    head, coils = (recording.forward.context.get(name, np.zeros((0, 3))) for name in ("head_shape", "head_coils"))
    return fif.Digitised(fiducials=fiducials, hpi=coils, electrodes=positions(recording)[rows], head=head)
