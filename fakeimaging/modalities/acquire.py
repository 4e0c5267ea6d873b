"""`acquire`: put a subject, and for functional imaging an activity, into an instrument."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fakeimaging.activity.activity import Activity
from fakeimaging.core.errors import InputError, UnknownNameError, did_you_mean
from fakeimaging.core.streams import Streams
from fakeimaging.modalities import MODALITIES
from fakeimaging.modalities.modality import Modality
from fakeimaging.modalities.recording import Recording
from fakeimaging.structure.subject import Subject, legal_label


def acquire(
    modality: str | Modality,
    subject: Subject,
    activity: Activity | None = None,
    *,
    session: str | None = None,
    repeat: int = 1,
    off: str | Iterable[str] = (),
    **parameters: Any,
) -> Recording:
    """Image a subject.

    Parameters
    ----------
    modality : str or Modality
        Registered name, such as ``"bold"`` or ``"t1w"``.
    subject : Subject
    activity : Activity, optional
        Needed by modalities that image function; others ignore it.
    session : str, optional
        Session of a structural image; a functional one takes its activity's.
    repeat : int
        A second scan of the same thing has fresh noise: repeat 2.
    off : str or iterable of str
        Stages to leave out; the others keep their bits.
    **parameters
        Of the modality, such as ``tr=1.0``.

    Returns
    -------
    Recording
        The forward model runs at once; volumes and layers are made when they are asked for.

    Raises
    ------
    ParameterError, UnknownNameError, InputError
        If a parameter, stage or modality is not known or allowed, or the activity is missing or another subject's.

    Examples
    --------
    >>> from fakeimaging import make_subject
    >>> subject = make_subject("01", seed=1, anatomy="tiny")
    >>> scan = acquire("t1w", subject, voxel_size=4.0)
    >>> scan.stages
    ('bias', 'thermal', 'magnitude', 'quantisation')
    >>> scan.observed.to_nifti().shape
    (52, 62, 50)
    """
    chosen = MODALITIES.get(modality) if isinstance(modality, str) else modality
    if isinstance(subject, Activity) or isinstance(activity, Subject):
        given = f"{type(subject).__name__} and {type(activity).__name__}"
        raise InputError(f"acquire('{chosen.name}', subject, activity) takes a Subject and an Activity, not {given}")
    checked = chosen.parameters.parse(parameters, where=chosen.name)
    names = [stage.name for stage in chosen.observe]
    switched_off = frozenset([off] if isinstance(off, str) else off)
    for name in switched_off - set(names):
        raise UnknownNameError(f"{chosen.name} has no stage '{name}'{did_you_mean(name, names)}", value=name)
    if isinstance(repeat, bool) or not isinstance(repeat, int) or repeat < 1:
        raise InputError(f"`repeat`: {repeat!r} is not a whole number of at least 1", value=repeat)
    used = activity if chosen.sees(checked) == "function" else None
    origin = _origin(chosen, subject, used, session, sees=chosen.sees(checked))
    forward = chosen.forward(subject, used, checked)
    streams = origin.at(*scan_path(chosen, checked, repeat))
    return Recording(chosen, checked, streams, forward, (subject, used), switched_off)


def scan_path(modality: Modality, parameters: Any, repeat: int) -> tuple[str, ...]:
    """Return the stream path of a scan below its subject, session or run."""
    own = (f"{entity}-{label}" for entity, label in modality.entities(parameters).items())
    return (modality.name, *own, f"repeat-{repeat}")


def _origin(
    modality: Modality, subject: Subject, activity: Activity | None, session: str | None, *, sees: str
) -> Streams:
    if sees != "function":
        return subject.streams.at(f"ses-{legal_label(session)}") if session is not None else subject.streams
    if activity is None:
        raise InputError(f"{modality.name} images activity: acquire('{modality.name}', subject, activity)")
    whose, mine = activity.streams, subject.streams
    if (whose.seed, whose.path[: len(mine.path)]) != (mine.seed, mine.path):
        raise InputError(
            f"the activity is of {whose.path[0]}, seed {whose.seed}; the subject is {mine.path[0]}, seed {mine.seed}"
        )
    if lacking := modality.lacks(activity.taps):
        raise UnknownNameError(lacking, value=modality.name)
    for tap in activity.taps.values():
        if tap.samples.shape[1] != subject.n_regions:
            raise InputError(f"the activity has {tap.samples.shape[1]} regions, the subject {subject.n_regions}")
    if session is not None and session != activity.session:
        raise InputError(f"`session`: the activity is of session {activity.session!r}, not {session!r}", value=session)
    return activity.streams
