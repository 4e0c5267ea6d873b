"""Layers: from the clean signal to the observed one by named stages in a fixed order.

A signal is an `Image` (volumes) or a `Series` (channels); it is made part by part: a volume of an image, a stretch of a series.
A stage first draws its recipe (parameters, random draws, low-rank factors: small), then acts part by part. Recipe and
parts have streams of their own, so their bits do not depend on what else is switched on, nor on order. An additive stage
makes a term that is summed; an operator changes the signal so far; a filter does so and hands a state on to the next part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.clocks import Clock, Frames
from fakeimaging.core.spaces import Grid

if TYPE_CHECKING:
    import nibabel

Recipe = Mapping[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class Image:
    """An image made volume by volume when asked.

    Parameters
    ----------
    grid : Grid
    clock : Clock, Frames or None
        Start of each volume in s, or the frames; None for a single static image.
    make : callable
        ``make(v)`` returns volume v, shape grid.shape.
    slope : float
        Size of one step of the stored int16.
    """

    grid: Grid
    clock: Clock | Frames | None
    make: Callable[[int], npt.NDArray]
    slope: float

    def __repr__(self) -> str:
        return f"Image(shape {self.shape}, voxels {self.grid.voxel_size.round(3).tolist()} mm)"

    @property
    def n_parts(self) -> int:
        """Number of volumes; 1 for a static image."""
        return 1 if self.clock is None else self.clock.n

    @property
    def n_volumes(self) -> int:
        """Number of volumes; 1 for a static image."""
        return self.n_parts

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array: 3-D for a static image, else 4-D with time last."""
        return self.grid.shape if self.clock is None else (*self.grid.shape, self.clock.n)

    def made_by(self, make: Callable[[int], npt.NDArray]) -> Image:
        """Return the same image with other volumes."""
        return replace(self, make=make)

    def volume(self, v: int) -> npt.NDArray:
        """Return volume ``v``, shape grid.shape; raises IndexError beyond the last one."""
        if not 0 <= v < self.n_volumes:
            raise IndexError(f"volume {v} of an image of {self.n_volumes}")
        return self.make(v)

    def volumes(self) -> Iterator[npt.NDArray]:
        """Yield the volumes in order."""
        return (self.make(v) for v in range(self.n_volumes))

    def to_array(self) -> npt.NDArray:
        """Return the whole image, of the dtype of its volumes."""
        first = self.make(0)
        if self.clock is None:
            return first
        array = np.empty(self.shape, dtype=first.dtype, order="F")
        for v in range(self.n_volumes):
            array[..., v] = self.make(v)
        return array

    def to_nifti(self) -> nibabel.Nifti1Image:
        """Return the whole image as a NIfTI image in memory (scanner space, mm and s)."""
        import nibabel as nib

        image = nib.Nifti1Image(self.to_array(), self.grid.affine)
        image.header.set_xyzt_units("mm", "sec")
        image.set_sform(self.grid.affine, code=1)
        image.set_qform(self.grid.affine, code=1)
        if self.clock is not None:
            image.header.set_zooms((*self.grid.voxel_size, self.clock.step))
        return image


@dataclass(frozen=True)
class Channel:
    """One channel of a series.

    Parameters
    ----------
    name : str
    kind : str
        BIDS type, such as ``"EEG"``.
    unit : str
        Of the array: ``"V"``, ``"T"``, ``"T/m"``.
    resolution : float
        Size of one step of the stored integer, in that unit; the series' own when 0.
    """

    name: str
    kind: str
    unit: str = "V"
    resolution: float = 0.0


@dataclass(frozen=True, eq=False, repr=False)
class Series:
    """Time series of channels, made part by part when asked.

    Parameters
    ----------
    channels : tuple of Channel
    clock : Clock
    make : callable
        ``make(v)`` returns the samples of part v, shape (n_channels, part(v).n), float32.
    resolution : float
        Size of one step of the stored integer, in the channels' unit.
    block : int, optional
        Samples of each part but the last; the whole is one part when left out.
    """

    channels: tuple[Channel, ...]
    clock: Clock
    make: Callable[[int], npt.NDArray]
    resolution: float
    block: int | None = None

    def __repr__(self) -> str:
        return f"Series({len(self.channels)} channels, {self.clock.n} samples at {self.clock.rate:g} Hz)"

    @property
    def n_parts(self) -> int:
        """Number of parts."""
        return 1 if self.block is None else max(1, -(-self.clock.n // self.block))

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the array: (n_channels, n_samples)."""
        return len(self.channels), self.clock.n

    @property
    def steps(self) -> npt.NDArray[np.float64]:
        """Size of one step of the stored integer of each channel, in its unit, shape (n_channels,)."""
        return np.array([channel.resolution or self.resolution for channel in self.channels])

    def part(self, v: int) -> Clock:
        """Return the clock of part ``v``; raises IndexError beyond the last one."""
        if not 0 <= v < self.n_parts:
            raise IndexError(f"part {v} of a series of {self.n_parts}")
        first = 0 if self.block is None else v * self.block
        n = self.clock.n if self.block is None else min(self.block, self.clock.n - first)
        return replace(self.clock, start=self.clock.start + first * self.clock.step, n=n)

    def rows(self, *kinds: str) -> npt.NDArray[np.intp]:
        """Return the rows of the channels of these kinds."""
        return np.array([i for i, channel in enumerate(self.channels) if channel.kind in kinds], dtype=np.intp)

    def made_by(self, make: Callable[[int], npt.NDArray]) -> Series:
        """Return the same series with other samples."""
        return replace(self, make=make)

    def parts(self) -> Iterator[npt.NDArray]:
        """Yield the samples of each part in order, shape (n_channels, n)."""
        return (self.make(v) for v in range(self.n_parts))

    def to_array(self) -> npt.NDArray:
        """Return all samples, shape (n_channels, n_samples)."""
        if self.n_parts == 1:
            return self.make(0)
        array = np.empty(self.shape, dtype=np.float32)
        first = 0
        for part in self.parts():
            array[:, first : first + part.shape[1]] = part
            first += part.shape[1]
        return array


Signal = Image | Series


@dataclass(frozen=True, eq=False)
class Companion:
    """A table beside a recording: electrodes, blood samples, regional curves.

    Parameters
    ----------
    name : str
        What stands between the scan's entities and the ending: ``"channels"``, ``"recording-manual_blood"``.
    columns : tuple of str
        None for a companion that is JSON alone.
    rows : sequence of sequences
    about : mapping
        Content of the JSON file.
    truth : bool
        Whether it goes to the truth rather than beside the raw file.
    named : bool
        Whether BIDS has a name for it; else it goes to ``sourcedata``.
    shared : bool
        Whether all recordings of the session have it in common: then neither task nor run stands in its name.
    """

    name: str
    columns: tuple[str, ...] = ()
    rows: Sequence[Sequence[Any]] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    truth: bool = False
    named: bool = True
    shared: bool = False


@dataclass(frozen=True, eq=False)
class Extra:
    """An image beside a recording, such as a field map or a reference volume.

    Parameters
    ----------
    suffix : str
        BIDS suffix: ``"epi"``, ``"sbref"``; with a description before it where it is truth: ``"desc-truth_fieldmap"``.
    image : Image
    sidecar : mapping
        Its BIDS keys.
    entities : mapping of str to str
        BIDS entities of its own: ``{"dir": "AP"}``.
    folder : str
        BIDS folder; that of the recording when empty. Names in another folder have no task: it stands in their ``acq``.
    truth : bool
        Whether it goes to the truth rather than beside the raw file.
    maps_field : bool
        Whether the field of the scan can be estimated from it: then both sidecars say so.
    shared : bool
        Whether all files of a scan (echoes) have it in common.
    """

    suffix: str
    image: Image
    sidecar: Mapping[str, Any] = field(default_factory=dict)
    entities: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    truth: bool = False
    maps_field: bool = False
    shared: bool = False


@dataclass(frozen=True, eq=False)
class Forward:
    """What a modality's forward model returns.

    Parameters
    ----------
    clean : Image or Series
        What would be observed without any stage.
    reference : float
        Signal that noise levels refer to, in the unit of ``clean``: of pure grey matter, for most images.
    baseline : ndarray, shape clean.grid.shape, float32, or None
        The clean image at rest.
    truth : mapping of str to ndarray
        What only the simulator knows, one row a region.
    companions : tuple of Companion
    context : mapping
        What the stages need beside that: physiology of the run, tissue, topographies.
    maps : mapping of str to Image
        Images of what only the simulator knows, by the end of their names: ``"contrast-look_stat-effect_statmap"``. Still ones; what
        is said of each is a companion of that name.
    """

    clean: Any
    reference: float = 1.0
    baseline: Any = None
    truth: Mapping[str, npt.NDArray] = field(default_factory=dict)
    companions: tuple[Companion, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    maps: Mapping[str, Image] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for array in (self.baseline, *self.truth.values()):
            if array is not None:
                frozen(array)


@dataclass(frozen=True, eq=False)
class Factors:
    """A term of a series as maps times courses, which sums with others of its kind in one product.

    Parameters
    ----------
    maps : ndarray, shape (n_channels, k)
    courses : ndarray, shape (k, n)
    """

    maps: npt.NDArray
    courses: npt.NDArray

    def dense(self) -> npt.NDArray[np.float32]:
        """Return the term, shape (n_channels, n)."""
        return np.asarray(self.maps, dtype=np.float32) @ np.asarray(self.courses, dtype=np.float32)


Term = npt.NDArray | Factors
"""What an additive stage adds."""


def dense(term: Term | None, signal: Signal, v: int) -> npt.NDArray:
    """Return a term of part ``v`` of a signal as an array: that of a series (n_channels, n), or of an image; zeros for nothing."""
    if term is None:
        shape = signal.grid.shape if isinstance(signal, Image) else (len(signal.channels), signal.part(v).n)
        return np.zeros(shape, dtype=np.float32)
    return term.dense() if isinstance(term, Factors) else term


class Sum:
    """A signal and what is added to it: dense terms at once, maps times courses together when the sum is asked for."""

    def __init__(self, signal: Any) -> None:
        self._signal = signal
        self._ours = False
        self._factors: list[Factors] = []

    def add(self, term: Term | None) -> None:
        """Add a term; nothing when it is None."""
        if isinstance(term, Factors):
            self._factors.append(term)
        elif term is not None:
            # A sum made here may be added to in place; what others made may be kept by them.
            same = self._ours and np.result_type(self._signal, term) == self._signal.dtype
            self._signal = np.add(self._signal, term, out=self._signal if same else None)
            self._ours = True

    def total(self) -> Any:
        """Return the sum."""
        if self._factors:
            maps, courses = (
                np.concatenate([np.asarray(getattr(part, name), dtype=np.float32) for part in self._factors], axis=axis)
                for name, axis in (("maps", 1), ("courses", 0))
            )
            self._factors = []
            self.add(maps @ courses)
        return self._signal


@dataclass(frozen=True)
class Stage:
    """One named layer.

    Parameters
    ----------
    name : str
    kind : {"additive", "operator", "filter"}
    draw : callable
        ``draw(forward, parameters, rng=...)`` returns the recipe, a mapping of numbers and small arrays.
    act : callable
        Additive: ``act(forward, recipe, v, rng=...)`` returns the term of part v, an array or `Factors`; None for nothing.
        Operator: ``act(signal, forward, recipe, v,
        rng=...)`` returns the changed part. Filter: ``act(signal, forward, recipe, v, rng=..., state=...)`` returns the changed
        part and the state that the next one starts from; None in part 0.
    of_part : bool
        Whether each file of a scan (echo) draws its own; else they share all draws, as one head does.
    any_part : bool
        Whether `act` is given a function ``rng(v)`` in place of the generator of its own part, for noise that reaches back.
    noisy : bool
        Whether `act` draws anything; else its ``rng`` is None.
    tell : callable or None
        ``tell(companions, forward, recipe)`` returns the tables beside the recording with what the stage says in them: which
        channels are bad, when an artefact came.
    """

    name: str
    kind: Literal["additive", "operator", "filter"]
    draw: Callable[..., Recipe]
    act: Callable[..., Any]
    of_part: bool = False
    any_part: bool = False
    noisy: bool = True
    tell: Callable[..., tuple[Companion, ...]] | None = None
