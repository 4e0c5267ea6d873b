"""Where each file of a dataset goes: BIDS names, and the folders for what has none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from fakeimaging.core.parameters import Parameters
from fakeimaging.dataset.study import Acquisition, Session, Study
from fakeimaging.modalities import MODALITIES
from fakeimaging.modalities.layers import Extra
from fakeimaging.modalities.modality import Modality

TRUTH = PurePosixPath("derivatives/fakeimaging-truth")
PREP = PurePosixPath("derivatives/fakeimaging-prep")
CONNECTOME = PurePosixPath("derivatives/fakeimaging-connectome")
SOURCE = PurePosixPath("sourcedata/fakeimaging")
RECORD = SOURCE / "record.json"
INPUTS = SOURCE / "inputs"


ORDER = ("acq", "ce", "trc", "rec", "dir", "run", "echo")
"""Entities in the order of BIDS, after subject, session and task."""


@dataclass(frozen=True)
class Scan:
    """One recording of a study: whose, which, and where its files go.

    Parameters
    ----------
    subject, session, modality
    task, run : str and int, or None
        Of the activity it images; None for a structural scan.
    acquisition : Acquisition
    part : mapping
        Parameters that tell this file of the acquisition from its others, such as ``{"echo": 2}``.
    number : int, optional
        Which one it is of the scans of its session that would have the same name, where its modality numbers those.
    """

    subject: str
    session: str | None
    modality: str
    task: str | None
    run: int | None
    acquisition: Acquisition
    part: Mapping[str, Any] = field(default_factory=dict)
    number: int | None = None

    @property
    def instrument(self) -> Modality:
        """The modality."""
        return MODALITIES.get(self.modality)

    @property
    def folder(self) -> PurePosixPath:
        """Folder below the root of a BIDS dataset."""
        return subject_folder(self.subject, self.session) / self.instrument.datatype

    @property
    def stem(self) -> str:
        """File name without suffix: ``sub-01_task-rest_run-1``."""
        return self.named()

    def named(self, *, part: bool = True, **entities: str) -> str:
        """Return `stem` with more entities in BIDS' order; without the entity of its own part when it is for all of them."""
        task = self.task if self.names_task else None
        run = self.run if self.instrument.names_run else None
        repeat = 1 if self.instrument.numbered else self.acquisition.repeat
        parts = [f"sub-{self.subject}"]
        parts += [f"ses-{self.session}"] if self.session is not None else []
        parts += [f"task-{task}"] if task is not None else []
        own = {"acq": f"repeat{repeat}"} if repeat > 1 and run is not None else {}
        own |= {"run": str(run if run is not None else repeat)} if run is not None or repeat > 1 else {}
        own |= {"run": str(self.number)} if self.number is not None else {}
        own |= {**self.entities, **entities, **(self.instrument.part_of(self.parameters) if part else {})}
        return "_".join([*parts, *(f"{entity}-{own[entity]}" for entity in sorted(own, key=ORDER.index))])

    @property
    def names_task(self) -> bool:
        """Whether the task of its run stands in its names."""
        return self.task is not None and (self.instrument.names_run or self.instrument.names_task(self.parameters))

    @property
    def parameters(self) -> Parameters:
        """Parameters of the modality, defaults filled in."""
        return self.instrument.parameters.parse(self.given, where=self.modality)

    @property
    def given(self) -> dict[str, Any]:
        """Parameters of the modality that are not its defaults."""
        return {**self.acquisition.parameters, **self.part}

    @property
    def entities(self) -> Mapping[str, str]:
        """BIDS entities of the modality's own."""
        return self.instrument.entities(self.parameters)

    @property
    def recording(self) -> str:
        """Name of the raw file without its ending."""
        return f"{self.stem}_{self.suffix}"

    @property
    def whole(self) -> str:
        """Name of what all its parts give together, such as the combined echoes; `recording` where it is one file."""
        return f"{self.named(part=False)}_{self.suffix}"

    @property
    def suffix(self) -> str:
        """BIDS suffix."""
        return self.instrument.suffix

    @property
    def raw(self) -> PurePosixPath:
        """The observed signal: the file that readers open."""
        return self.beside(f"{self.suffix}{self.instrument.extension_of(self.parameters)}")

    @property
    def parts(self) -> tuple[Scan, ...]:
        """All files of this scan, such as its echoes; itself alone, mostly."""
        parameters = self.instrument.parameters.parse(self.acquisition.parameters, where=self.modality)
        return tuple(replace(self, part=part) for part in self.instrument.parts(parameters))

    @property
    def is_first(self) -> bool:
        """Whether it is the first of its `parts`: what all of them share is written with it."""
        return self.part == self.parts[0].part

    @property
    def is_last(self) -> bool:
        """Whether it is the last of its `parts`: what is made from all of them follows it."""
        return self.part == self.parts[-1].part

    @property
    def middle(self) -> Scan:
        """The middle one of its `parts`: what their combination is compared with."""
        return self.parts[len(self.parts) // 2]

    @property
    def clean(self) -> PurePosixPath:
        """The clean signal."""
        return TRUTH / self.beside(f"desc-clean_{self.suffix}{self.instrument.extension}")

    @property
    def sidecar(self) -> PurePosixPath:
        """What BIDS says of the observed signal."""
        return self.beside(f"{self.suffix}.json")

    @property
    def events(self) -> PurePosixPath:
        """The table of events, one for all parts of a scan."""
        return self.folder / f"{self.named(part=False)}_events.tsv"

    @property
    def betas(self) -> PurePosixPath:
        """The table of true responses to a task."""
        return self.source.with_name(f"{self.stem}_betas.tsv")

    def beside(self, ending: str, *, part: bool = True) -> PurePosixPath:
        """Return a file of this scan, or of all its parts; ``ending`` is the rest of its name."""
        return self.folder / f"{self.named(part=part)}_{ending}"

    def shared(self, ending: str) -> PurePosixPath:
        """Return what has no BIDS name and belongs to all parts of this scan."""
        return SOURCE / f"sub-{self.subject}" / f"{self.named(part=False)}_{ending}"

    def extra(self, extra: Extra) -> PurePosixPath:
        """Return where an image beside this one goes."""
        entities: dict[str, Any] = dict(extra.entities)
        ending, folder = f"{extra.suffix}.nii.gz", subject_folder(self.subject, self.session)
        path = self.folder / f"{self.named(**entities)}_{ending}"
        if extra.folder:
            own = self._run_without_task | entities
            parts = [*folder.parts, *(f"{entity}-{own[entity]}" for entity in sorted(own, key=ORDER.index))]
            path = folder / extra.folder / "_".join([*parts, ending])
        return TRUTH / path if extra.truth else path

    @property
    def _run_without_task(self) -> dict[str, str]:
        """Entities that tell task, run and repeat where BIDS has no task."""
        repeat = f"repeat{self.acquisition.repeat}" if self.acquisition.repeat > 1 else ""
        label = f"{self.task or ''}{repeat}"
        return ({"acq": label} if label else {}) | ({"run": str(self.run)} if self.run is not None else {})

    @property
    def field_identifier(self) -> str:
        """What BIDS calls the field of this scan (B0FieldIdentifier): one name in all of a subject's files."""
        run = f"_run{self.run}" if self.run is not None else ""
        parts = [f"ses{self.session}_"] if self.session is not None else []
        return "".join([*parts, f"{self.modality}_{self.task}{run}_repeat{self.acquisition.repeat}"])

    def regional(self, name: str) -> PurePosixPath:
        """Regional truth, such as ``regional_bold``."""
        return self.source.with_name(f"{self.source.name}_{name.replace('_', '-')}.npy")

    @property
    def source(self) -> PurePosixPath:
        """Start of the names of what BIDS has no name for: recipe and regional truth."""
        return SOURCE / f"sub-{self.subject}" / self.recording


def subject_folder(subject: str, session: str | None) -> PurePosixPath:
    """Return the folder of a subject, or of its session."""
    folder = PurePosixPath(f"sub-{subject}")
    return folder / f"ses-{session}" if session is not None else folder


def scans(study: Study, subject: str) -> Iterator[Scan]:
    """Yield every recording of a subject in the order of the study."""
    for session in study.sessions:
        yield from _numbered([scan for one in session.acquisitions for scan in _scans_of(one, subject, session)])


def _scans_of(acquisition: Acquisition, subject: str, session: Session) -> Iterator[Scan]:
    modality = MODALITIES.get(acquisition.modality)
    parameters = modality.parameters.parse(acquisition.parameters, where=modality.name)
    task, run = (acquisition.task, acquisition.run) if modality.sees(parameters) == "function" else (None, None)
    for part in modality.parts(parameters):
        yield Scan(subject, session.label, modality.name, task, run, acquisition, part)


def _numbered(found: list[Scan]) -> Iterator[Scan]:
    """Number the scans that would have the same name, where their modality has that."""
    stems = [scan.stem if scan.instrument.numbered else "" for scan in found]
    for k, (scan, stem) in enumerate(zip(found, stems, strict=True)):
        yield replace(scan, number=stems[: k + 1].count(stem)) if stem and stems.count(stem) > 1 else scan


def tap_file(subject: str, session: Session | None, task: str, run: int, tap: str) -> PurePosixPath:
    """Return where a tap of an activity is stored."""
    return run_file(subject, session, task, run, f"tap-{tap.replace('_', '-')}.npy")


def run_file(subject: str, session: Session | None, task: str, run: int, ending: str) -> PurePosixPath:
    """Return where something of an activity is stored; ``ending`` is the rest of its name."""
    label = session.label if session is not None else None
    where = f"ses-{label}_" if label is not None else ""
    return SOURCE / f"sub-{subject}" / f"sub-{subject}_{where}task-{task}_run-{run}_{ending}"


def dseg(subject: str, session: str | None, *, space: str | None = None) -> PurePosixPath:
    """Return the label image of a subject's regions, native or in a template ``space``."""
    where = f"space-{space}_" if space is not None else ""
    return truth_anat(subject, session, f"{where}seg-fakeimaging_dseg.nii.gz")


def truth_anat(subject: str, session: str | None, ending: str) -> PurePosixPath:
    """Return a file of anatomical truth; ``ending`` is the rest of its name."""
    folder = subject_folder(subject, session)
    return TRUTH / folder / "anat" / f"{'_'.join(folder.parts)}_{ending}"


def connectome_image(subject: str, session: str | None, ending: str, *, space: str | None = None) -> PurePosixPath:
    """Return a file of the structural export, native or in a template ``space``; ``ending`` is the rest of its name."""
    folder = subject_folder(subject, session)
    where = f"space-{space}_" if space is not None else ""
    return CONNECTOME / folder / "anat" / f"{'_'.join(folder.parts)}_{where}seg-fakeimaging_{ending}"


def table(subject: str, name: str, suffix: str = ".tsv") -> PurePosixPath:
    """Return a table of a subject's structure (``weights``, ``lengths``, ``regions``, ``edges``) or the like in another format."""
    return SOURCE / f"sub-{subject}" / f"sub-{subject}_{name}{suffix}"


def subject_folders(root: Path, subject: str) -> list[Path]:
    """Return every folder that holds files of one subject."""
    name = f"sub-{subject}"
    return [root / folder / name for folder in (PurePosixPath(), TRUTH, PREP, CONNECTOME, SOURCE)]
