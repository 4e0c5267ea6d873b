"""Where each file of a dataset goes: BIDS names, and the folders for what has none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fakeimaging.dataset.study import Acquisition, Session, Study
from fakeimaging.modalities import MODALITIES

TRUTH = PurePosixPath("derivatives/fakeimaging-truth")
SOURCE = PurePosixPath("sourcedata/fakeimaging")
RECORD = SOURCE / "record.json"
MODELS = SOURCE / "models"


@dataclass(frozen=True)
class Scan:
    """One recording of a study: whose, which, and where its files go.

    Parameters
    ----------
    subject, session, modality
    task, run : str and int, or None
        Of the activity it images; None for a structural scan.
    acquisition : Acquisition
    """

    subject: str
    session: str | None
    modality: str
    task: str | None
    run: int | None
    acquisition: Acquisition

    @property
    def folder(self) -> PurePosixPath:
        """Folder below the root of a BIDS dataset."""
        return subject_folder(self.subject, self.session) / MODALITIES.get(self.modality).datatype

    @property
    def stem(self) -> str:
        """File name without suffix: ``sub-01_task-rest_run-1``."""
        parts = [f"sub-{self.subject}"]
        parts += [f"ses-{self.session}"] if self.session is not None else []
        parts += [f"task-{self.task}"] if self.task is not None else []
        parts += [f"acq-repeat{self.acquisition.repeat}"] if self.acquisition.repeat > 1 else []
        parts += [f"run-{self.run}"] if self.run is not None else []
        return "_".join(parts)

    @property
    def suffix(self) -> str:
        """BIDS suffix."""
        return MODALITIES.get(self.modality).suffix

    @property
    def raw(self) -> PurePosixPath:
        """The observed image."""
        return self.folder / f"{self.stem}_{self.suffix}.nii.gz"

    @property
    def clean(self) -> PurePosixPath:
        """The clean image."""
        return TRUTH / self.folder / f"{self.stem}_desc-clean_{self.suffix}.nii.gz"

    @property
    def sidecar(self) -> PurePosixPath:
        """What BIDS says of the observed image."""
        return self.folder / f"{self.stem}_{self.suffix}.json"

    def regional(self, name: str) -> PurePosixPath:
        """Regional truth, such as ``regional_bold``."""
        return self.source.with_name(f"{self.source.name}_{name.replace('_', '-')}.npy")

    @property
    def source(self) -> PurePosixPath:
        """Start of the names of what BIDS has no name for: recipe and regional truth."""
        return SOURCE / f"sub-{self.subject}" / f"{self.stem}_{self.suffix}"


def subject_folder(subject: str, session: str | None) -> PurePosixPath:
    """Return the folder of a subject, or of its session."""
    folder = PurePosixPath(f"sub-{subject}")
    return folder / f"ses-{session}" if session is not None else folder


def scans(study: Study, subject: str) -> Iterator[Scan]:
    """Yield every recording of a subject in the order of the study."""
    for session in study.sessions:
        for acquisition in session.acquisitions:
            functional = MODALITIES.get(acquisition.modality).images == "function"
            task, run = (acquisition.task, acquisition.run) if functional else (None, None)
            yield Scan(subject, session.label, acquisition.modality, task, run, acquisition)


def tap_file(subject: str, session: Session | None, task: str, run: int, tap: str) -> PurePosixPath:
    """Return where a tap of an activity is stored."""
    label = session.label if session is not None else None
    where = f"ses-{label}_" if label is not None else ""
    return SOURCE / f"sub-{subject}" / f"sub-{subject}_{where}task-{task}_run-{run}_tap-{tap.replace('_', '-')}.npy"


def dseg(subject: str, session: str | None) -> PurePosixPath:
    """Return the label image of a subject's regions in native space."""
    return truth_anat(subject, session, "seg-fakeimaging_dseg.nii.gz")


def truth_anat(subject: str, session: str | None, ending: str) -> PurePosixPath:
    """Return a file of anatomical truth; ``ending`` is the rest of its name."""
    folder = subject_folder(subject, session)
    return TRUTH / folder / "anat" / f"{'_'.join(folder.parts)}_{ending}"


def table(subject: str, name: str) -> PurePosixPath:
    """Return a table of a subject's structure: ``weights``, ``lengths`` or ``regions``."""
    return SOURCE / f"sub-{subject}" / f"sub-{subject}_{name}.tsv"


def subject_folders(root: Path, subject: str) -> list[Path]:
    """Return every folder that holds files of one subject."""
    name = f"sub-{subject}"
    return [root / name, root / TRUTH / name, root / SOURCE / name]
