"""Runs a study: one task a subject, on as many workers as asked, into a folder that survives interruption."""

from __future__ import annotations

import fcntl
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fakeimaging.activity.activity import compile_model
from fakeimaging.core.errors import InputError, OutputError
from fakeimaging.core.files import HIDDEN, remove_leftovers
from fakeimaging.core.provenance import versions
from fakeimaging.dataset.describe import read_record, recorded_study, write_description
from fakeimaging.dataset.effects import for_subject
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.manifest import clear_subject, is_complete, read_manifest
from fakeimaging.dataset.names import INPUTS, RECORD
from fakeimaging.dataset.plan import plan, total_bytes
from fakeimaging.dataset.study import Study, read_study
from fakeimaging.dataset.write import subject_of, write_subject
from fakeimaging.structure.subject import forget_template

Progress = Callable[[str, str], None]
"""Called with a subject's label and ``"done"`` or ``"kept"``."""


def simulate_study(
    study: Study | Mapping[str, Any] | str | Path | None,
    out: str | Path,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Dataset:
    """Simulate a study and write it as a BIDS dataset with its truth.

    A subject that an earlier, interrupted call finished is kept; the result is the same as without the interruption.

    Parameters
    ----------
    study : Study, mapping, path or None
        A study, its content, a TOML file, or None for the built-in study.
    out : path
        Folder to write to: new, empty, or an earlier result of the same study.
    jobs : int
        Workers; the written bytes do not depend on it.
    progress : callable, optional
        ``progress(label, "done" or "kept")`` after each subject.

    Returns
    -------
    Dataset

    Raises
    ------
    ParameterError, InputError
        If the study is not sound.
    OutputError
        If the folder cannot be used; nothing in it is touched then.
    """
    wanted = _as_study(study)
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise InputError(f"`jobs`: {jobs!r} is not a whole number of at least 1", value=jobs)
    root = Path(out)
    wanted = seeded(wanted, root)
    plan(wanted)
    with _claimed(root):
        _agree(root, wanted)
        _compile(wanted)
        remove_leftovers(root)
        write_description(wanted, root)
        _run(recorded_study(root), root, jobs, progress or (lambda label, state: None))
    return Dataset(root)


def seeded(study: Study, root: Path) -> Study:
    """Return the study with its seed: its own, else that of the dataset in ``root``, else one drawn now."""
    try:
        recorded = read_record(root)["study"]["seed"]
    except InputError:
        recorded = None
    return study.seeded(recorded)


def _as_study(study: Study | Mapping[str, Any] | str | Path | None) -> Study:
    if isinstance(study, Mapping):
        return Study.check(study)
    if isinstance(study, Study):
        return Study.check(study.content())
    return read_study(study)


@contextmanager
def _claimed(root: Path) -> Iterator[None]:
    """Make the folder and hold it: a second run on the same folder is refused. The lock leaves no file and dies with us."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise OutputError(f"cannot use {root} as a folder: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise OutputError(f"another run is writing to {root}") from None
    try:
        yield
    finally:
        _remove_if_empty(root)
        os.close(handle)


def _remove_if_empty(root: Path) -> None:
    with suppress(OSError):
        root.rmdir()


def _agree(root: Path, study: Study) -> None:
    """Check that the folder is ours to write: empty, or holding the same study with no subject that would be dropped."""
    if not os.access(root, os.W_OK):
        raise OutputError(f"cannot write to {root}")
    if (root / RECORD).exists():
        _same_study(root, study)
    elif strange := _not_ours(root):
        raise OutputError(f"{root} holds something else ({', '.join(strange[:3])}); choose a new or empty folder")
    _has_room(root, study)


def _same_study(root: Path, study: Study) -> None:
    earlier = recorded_study(root)
    if earlier.digest() != study.digest():
        raise OutputError(f"{root} holds another study ({_difference(earlier, study)} differs); choose a new folder")
    if dropped := set(earlier.labels) - set(study.labels):
        raise OutputError(f"{root} holds subjects that this study has not: {', '.join(sorted(dropped))}")
    for label in earlier.labels:
        manifest = read_manifest(root, label)
        if manifest is not None and manifest.machine["versions"] != versions():
            changed = [f"{k} {v}" for k, v in manifest.machine["versions"].items() if versions().get(k) != v]
            raise OutputError(
                f"sub-{label} in {root} was made with {', '.join(changed)}; go on with that, or choose a new folder"
            )


def _has_room(root: Path, study: Study) -> None:
    present = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    needed, free = total_bytes(study) - present, shutil.disk_usage(root).free
    if needed > free:
        raise OutputError(f"{root} has room for {free / 1e6:.0f} MB; about {needed / 1e6:.0f} MB are needed")


def _not_ours(root: Path) -> list[str]:
    """Names of what lies in a folder without a record, but for what a first write that was interrupted leaves."""
    files = (path for path in root.rglob("*") if path.is_file() and not path.name.startswith(HIDDEN))
    return sorted(str(path.relative_to(root)) for path in files if path.parent != root / INPUTS)


def _difference(earlier: Study, study: Study) -> str:
    before, after = earlier.portable(), study.portable()
    changed = (f"`{key}`" for key in before if key not in {"name", "subjects"} and before[key] != after[key])
    return next(changed, "a file it names")


def _run(study: Study, root: Path, jobs: int, progress: Progress) -> None:
    waiting = []
    for label in study.labels:
        if is_complete(root, label, for_subject(study, label).digest()):
            progress(label, "kept")
        else:
            waiting.append(label)
    if not waiting:
        return
    for label in _results(study, root, waiting, min(jobs, len(waiting))):
        progress(label, "done")


def _compile(study: Study) -> None:
    """Compile every model once with its parameters, here, so that workers find it on disk and mistakes show before writing."""
    first = for_subject(study, study.labels[0])
    subject = subject_of(first, study.labels[0])
    for session in first.sessions:
        for run in session.runs:
            compile_model(run.model, subject, parameters=run.parameters, **run.timing)
    forget_template()


def _results(study: Study, root: Path, labels: list[str], jobs: int) -> Iterator[str]:
    if jobs == 1:
        yield from (one_subject(study.content(), label, str(root)) for label in labels)
        return
    from joblib import Parallel, delayed

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
        tasks = (delayed(one_subject)(study.content(), label, str(root)) for label in labels)
        yield from Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks)


def one_subject(content: dict[str, Any], label: str, root: str) -> str:
    """Write one subject from a clean start, with one thread in linear algebra (its bits depend on the number of threads)."""
    from threadpoolctl import threadpool_limits

    clear_subject(Path(root), label)
    with threadpool_limits(limits=1):
        write_subject(Study.parse(content), label, Path(root))
    return label
