"""What a modality is: a parameter class, a deterministic forward model, a fixed order of stages, and its names in BIDS."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from fakeimaging.activity.activity import Activity
from fakeimaging.core.citations import Reference
from fakeimaging.core.clocks import Clock, Frames
from fakeimaging.core.parameters import Parameters
from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.layers import Channel, Extra, Forward, Stage
from fakeimaging.structure.subject import Subject

if TYPE_CHECKING:
    from fakeimaging.modalities.recording import Recording


Sight = Literal["tissue", "function", "connectivity"]
"""What an instrument maps."""
EXTENSIONS = {"nifti": ".nii.gz", "brainvision": ".vhdr", "edf": ".edf", "eeglab": ".set", "fif": ".fif"}
"""Endings of the formats."""


def no_entities(parameters: Any) -> Mapping[str, str]:
    """Name nothing beyond subject, session, task and run."""
    return {}


def one_part(parameters: Any) -> tuple[Mapping[str, Any], ...]:
    """A scan is one file."""
    return ({},)


def no_task(parameters: Any) -> bool:
    """A scan of no task."""
    return False


def covers_nothing(parameters: Any) -> float:
    """A run of any length will do."""
    return 0.0


def as_an_image(parameters: Any) -> tuple[float, float]:
    """A scan takes no longer, and no more room, than any image of its size."""
    return (0.0, 0.0)


def no_more(parameters: Any) -> tuple[Reference, ...]:
    """All scans rest on the same papers."""
    return ()


def no_extras(recording: Recording) -> tuple[Extra, ...]:
    """A scan is alone."""
    return ()


@dataclass(frozen=True)
class Modality:
    """An instrument.

    Parameters
    ----------
    name : str
    parameters : type of Parameters
        With a default for every field.
    images : {"tissue", "function", "connectivity"}
        What it maps; only function needs an Activity.
    geometry : callable
        ``geometry(parameters, duration) -> (grid or channels, clock)`` of a scan of a run of that many seconds; no clock when
        static.
    forward : callable
        ``forward(subject, activity, parameters) -> Forward``; no randomness. Activity is None unless it images function.
    observe : tuple of Stage
        From clean to observed, in this order.
    datatype, suffix : str
        BIDS folder and suffix.
    sidecar : callable
        ``sidecar(parameters, forward) -> dict`` of BIDS keys.
    references : tuple of Reference
    small : mapping
        Parameters for a look within seconds (``--small``).
    entities : callable
        ``entities(parameters) -> dict`` of BIDS entities of its own, such as ``{"trc": "18FFDG"}``.
    part_of : callable
        ``part_of(parameters) -> dict``: the entity of one part of a scan that is stored as several files, such as ``{"echo": "2"}``.
    parts : callable
        ``parts(parameters) -> tuple of dict``: the parameters that tell its parts apart, one empty dict when there is one.
    extras : callable
        ``extras(recording) -> iterable of Extra``: the images that are stored beside a recording.
    covers : callable
        ``covers(parameters)``: seconds that the run it images must last, since the scan follows its course; 0 when any length will do.
    more_references : callable
        ``more_references(parameters)``: the papers that only scans of these parameters rest on, such as those of a reconstruction.
    extra_seconds : callable
        ``extra_seconds(parameters)``: how much longer than another image a scan takes on one core, rounded up: as a whole, and a million
        voxels; for the plan.
    extra_bytes : callable
        ``extra_bytes(parameters)``: how many bytes are written beside it, rounded up: for each voxel of the grid, and of each volume.
    names_run : bool
        Whether task and run of the activity it images stand in its file names; only a modality of function has them.
    names_task : callable
        ``names_task(parameters) -> bool``: whether the task stands in the names, and events lie beside, where `names_run` does not say so.
    numbered : bool
        Whether scans of a session that would have the same name are told apart by ``run-1``, ``run-2`` in the order of the study.
    unit : str
        Of the stored values.
    format : {"nifti", "brainvision", "fif"}
        Of the files: images are NIfTI, series one of the others.
    format_of : callable, optional
        ``format_of(parameters)`` where the format of the observed file is a parameter; the truth keeps `format`.
    images_of : callable, optional
        ``images_of(parameters)`` where what it maps depends on a parameter, as on the tracer of a PET scan.
    same_in_session : tuple of str
        Parameters that all scans of a session must share, since one file of the session tells them.
    reads : tuple of str
        Taps that an activity must have for it.
    """

    name: str
    parameters: type[Parameters]
    images: Sight
    geometry: Callable[[Any, float], tuple[Grid | tuple[Channel, ...], Clock | Frames | None]]
    forward: Callable[[Subject, Activity | None, Any], Forward]
    observe: tuple[Stage, ...]
    datatype: str
    suffix: str
    sidecar: Callable[[Any, Forward], dict[str, Any]]
    references: tuple[Reference, ...] = ()
    small: Mapping[str, Any] = field(default_factory=dict)
    entities: Callable[[Any], Mapping[str, str]] = no_entities
    part_of: Callable[[Any], Mapping[str, str]] = no_entities
    parts: Callable[[Any], tuple[Mapping[str, Any], ...]] = one_part
    extras: Callable[[Recording], Iterable[Extra]] = no_extras
    covers: Callable[[Any], float] = covers_nothing
    more_references: Callable[[Any], tuple[Reference, ...]] = no_more
    extra_seconds: Callable[[Any], tuple[float, float]] = as_an_image
    extra_bytes: Callable[[Any], tuple[float, float]] = as_an_image
    names_run: bool = True
    names_task: Callable[[Any], bool] = no_task
    numbered: bool = False
    unit: str = "arbitrary"
    format: Literal["nifti", "brainvision", "fif"] = "nifti"
    format_of: Callable[[Any], str] | None = None
    images_of: Callable[[Any], Sight] | None = None
    same_in_session: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()

    def lacks(self, taps: Collection[str]) -> str:
        """Return a line about the taps it needs that are not among these; nothing when all are there."""
        missing = [f"'{name}'" for name in self.reads if name not in taps]
        if not missing:
            return ""
        needed, plural = " and ".join(missing), "s" if len(missing) > 1 else ""
        return (
            f"{self.name} reads the tap{plural} {needed}, and there is {', '.join(taps) or 'none'}; "
            f"add {needed} to the run's `taps`, or take a model that shows it"
        )

    @property
    def extension(self) -> str:
        """Ending of the file that readers open."""
        return EXTENSIONS[self.format]

    def extension_of(self, parameters: Any) -> str:
        """Return the ending of the observed file of a recording."""
        return EXTENSIONS[self.format if self.format_of is None else self.format_of(parameters)]

    def cites(self, parameters: Any) -> tuple[Reference, ...]:
        """Return the papers behind a scan of these parameters."""
        return (*self.references, *self.more_references(parameters))

    def sees(self, parameters: Any) -> Sight:
        """Return what a scan of these parameters maps."""
        return self.images if self.images_of is None else self.images_of(parameters)

    def shape(self, parameters: Any, duration: float) -> tuple[int, ...]:
        """Return the shape of a recording of a run of that many seconds."""
        where, clock = self.geometry(parameters, duration)
        space = where.shape if isinstance(where, Grid) else (len(where),)
        return space if clock is None else (*space, clock.n)
