"""The manifest of a subject, written last: what it lists counts, anything else of that subject is a leftover."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from fakeimaging.core.files import UNREADABLE, Written, sha256_of, write_json
from fakeimaging.core.provenance import fingerprint
from fakeimaging.dataset.names import SOURCE, subject_folders


@dataclass(frozen=True)
class Manifest:
    """Files of one subject.

    Parameters
    ----------
    subject : str
    study : str
        Digest of the study that made them.
    machine : mapping
        Fingerprint of the machine and versions that made them.
    files : mapping of path below the root to Written
        Size on disk, and hash of the decompressed bytes.
    """

    subject: str
    study: str
    machine: dict[str, Any] = field(default_factory=fingerprint)
    files: dict[str, Written] = field(default_factory=dict)

    def add(self, path: PurePosixPath, written: Written) -> None:
        """Note a file that was written."""
        self.files[str(path)] = written

    def save(self, root: Path) -> None:
        """Write the manifest, sorted by path."""
        listed = {path: asdict(self.files[path]) for path in sorted(self.files)}
        content = {"study": self.study, "machine": self.machine, "files": listed}
        write_json(root / manifest_path(self.subject), content)


def manifest_path(subject: str) -> PurePosixPath:
    """Return where a subject's manifest is stored."""
    return SOURCE / f"sub-{subject}" / "manifest.json"


def read_manifest(root: Path, subject: str) -> Manifest | None:
    """Return a subject's manifest, or None where there is none that can be read."""
    try:
        content = json.loads((root / manifest_path(subject)).read_text())
        files = {path: Written(**entry) for path, entry in content["files"].items()}
        return Manifest(subject, content["study"], content["machine"], files)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_complete(root: Path, subject: str, study: str) -> bool:
    """Tell whether a subject of this study is done: every listed file is there in its size."""
    manifest = read_manifest(root, subject)
    if manifest is None or manifest.study != study:
        return False
    return not missing(root, manifest)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def damaged(root: Path, manifest: Manifest) -> list[str]:
    """Return one line for each listed file that is missing or whose decompressed content is not what was written."""
    states = {path: _state(root / path, entry) for path, entry in manifest.files.items()}
    return [f"{path}: {state}" for path, state in states.items() if state]


def _state(path: Path, entry: Written) -> str:
    if not path.is_file():
        return "missing"
    try:
        return "" if sha256_of(path) == entry.sha256 else "changed since it was written"
    except UNREADABLE:
        return "cannot be read"


def missing(root: Path, manifest: Manifest) -> list[str]:
    """Return the listed files that are not there in their size; quicker than `damaged`."""
    return [path for path, entry in manifest.files.items() if _size(root / path) != entry.bytes]


def strangers(root: Path, manifest: Manifest) -> list[Path]:
    """Return files in the subject's folders that the manifest does not list."""
    known = {root / path for path in manifest.files} | {root / manifest_path(manifest.subject)}
    found = (path for folder in subject_folders(root, manifest.subject) for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if path not in known)


def clear_subject(root: Path, subject: str) -> None:
    """Remove every file of a subject, the manifest first, so that a crash on the way leaves it undone."""
    (root / manifest_path(subject)).unlink(missing_ok=True)
    for folder in subject_folders(root, subject):
        shutil.rmtree(folder, ignore_errors=True)
