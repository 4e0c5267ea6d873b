"""What a study will write, before anything runs: shapes, bytes, random streams, time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from fakeimaging.activity.activity import LEAD, run_path
from fakeimaging.activity.model import Model
from fakeimaging.activity.models import as_model
from fakeimaging.activity.run import with_taps
from fakeimaging.activity.stimuli import Condition
from fakeimaging.dataset.contrasts import contrasts
from fakeimaging.dataset.covariates import Covariate
from fakeimaging.dataset.export import export_grid
from fakeimaging.dataset.names import Scan, scans
from fakeimaging.dataset.structure import anatomy_grid
from fakeimaging.dataset.study import Run, Session, Study
from fakeimaging.dataset.tasks import Task, tasks
from fakeimaging.modalities.acquire import scan_path
from fakeimaging.modalities.bold.task import FAINT
from fakeimaging.structure.subject import check_words, count_regions

BYTES_A_VOXEL = {"observed": 1.35, "clean": 0.55, "prep": 1.35, "truth": 0.4, "weights": 0.15}
"""Compressed bytes a voxel, rounded up (the default study: 1.19 and 1.27 observed, 0.46 and 0.39 clean, 0.31 truth)."""
BYTES_A_SAMPLE = {"brainvision": 2.05, "edf": 2.05, "eeglab": 4.1, "fif": 2.05}
"""Bytes of a sample of a channel, rounded up: int16, or float32 in SET."""
SECONDS_A_MEGASAMPLE = 0.6
"""Time to simulate and write a series, observed and clean, on one core, rounded up."""
BYTES_A_SURFACE = 2 * 20_484 * 4 * 4 // 3 + 2 * 40_000 * 4
"""Bytes of a volume on fsaverage5, observed and clean: GIFTI in base 64, and CIFTI with the deep voxels, rounded up."""
BYTES_A_PAIR = 60
"""Bytes of tables, GraphML and zip for each pair of regions, rounded up."""
SECONDS_AN_IMAGE, SECONDS_A_MEGAVOXEL = 1.5, 0.3
"""Time to simulate and write images on one core, rounded up."""
STEPS_A_SECOND = 120_000
"""Steps of the engine in a second at 100 regions, rounded down; goes with the square of their number."""


@dataclass(frozen=True)
class Item:
    """Something that is written for each subject.

    Parameters
    ----------
    name : str
    shape : tuple of int
    bytes : int
        On disk, an upper estimate.
    seconds : float
        On one core, an upper estimate.
    stream : str
        Path of its random numbers.
    """

    name: str
    shape: tuple[int, ...]
    bytes: int
    seconds: float
    stream: str


def plan(study: Study) -> list[Item]:
    """Return what is written for each subject, shown for the first one.

    Raises
    ------
    ParameterError
        If the lesion or a condition names regions that are not there, or events, sizes or courses cannot be.
    """
    check_words(study.for_subject(study.labels[0]).subject)
    tasks(study)
    return _items(study)


def _items(study: Study) -> list[Item]:
    subject = study.labels[0]
    items = [_scan(scan, study) for scan in scans(study, subject)]
    truth = (*anatomy_grid(study).shape, 4)
    items.append(
        _images("true regions and tissue fractions", truth, BYTES_A_VOXEL["truth"], f"sub-{subject}/structure")
    )
    items.append(_connectome(study, subject))
    return items + [_activity(run, session, study, subject) for session in study.sessions for run in session.runs]


def stimuli(shown: Sequence[Task]) -> list[list[str]]:
    """Return a row for each condition of `tasks`: run, model, condition, amplitude, the largest the model takes, imposed peak."""
    return [
        [_named(task.run, task.session), model.name, condition.trial_type, *_strength(condition, model), _peak(task, condition)]
        for task in shown
        for model in [as_model(task.run.model)]
        for condition in task.conditions
    ]  # fmt: skip


def faint(shown: Sequence[Task]) -> list[str]:
    """Return a line for each condition whose imposed response nobody will see: below `FAINT` at its largest."""
    return [
        f"the response that '{condition.trial_type}' imposes in {_named(task.run, task.session)} peaks at {peak:.2g} %, below "
        f"{FAINT:g} %: `percent` is the height that long events reach; give more of it, or a longer `duration`"
        for task in shown
        for condition in task.conditions
        for peak in [task.peak(condition)]
        if peak is not None and condition.percent != 0 and peak < FAINT
    ]


def design(study: Study) -> list[list[str]]:
    """Return a row for each effect: on what, which covariate, value in the file, size, SD between subjects, their ratio."""
    return [
        [one.touched.name, one.words if one.level else f"{one.words} (each unit)", f"{one.touched.base:g}", f"{one.size:+.3g}",
         f"{one.touched.sd:.3g}", "n/a" if one.standardised is None else f"{one.standardised:+.3g}"]
        for one in contrasts(study)
    ]  # fmt: skip


def cohort(study: Study) -> list[list[str]]:
    """Return a row for each covariate: its name, and what it can be."""
    return [[name, _possible(covariate)] for name, covariate in study.covariates.items()]


def _possible(covariate: Covariate) -> str:
    if covariate.categorical:
        shares = zip(covariate.levels, covariate.fractions, strict=True)
        return ", ".join(f"{level} {share}" for level, share in shares)
    unit = f" {covariate.unit}" if covariate.unit is not None else ""
    if covariate.distribution == "uniform":
        return f"uniform from {covariate.low:g} to {covariate.high:g}{unit}"
    return f"normal, {covariate.mean:g} +- {covariate.sd:g}{unit}"


def _named(run: Run, session: Session) -> str:
    return "/".join(run_path(run.task, run.run, session.label))


def _strength(condition: Condition, model: Model) -> tuple[str, str]:
    """Return the amplitude of a condition and the largest that is taken, of BOLD where its response is imposed."""
    if condition.percent is not None:
        return f"{condition.percent:g} % of BOLD", "50 %"
    return _amount(condition.amplitude, model), _amount(model.largest_stimulus, model)


def _peak(task: Task, condition: Condition) -> str:
    peak = task.peak(condition)
    return "n/a" if peak is None else f"{peak:.2g} %"


def _amount(value: float, model: Model) -> str:
    return f"{value:g}" if model.stimulus_unit == "1" else f"{value:g} {model.stimulus_unit}"


def total_bytes(study: Study) -> int:
    """Return an upper estimate of the dataset's size."""
    return len(study.labels) * sum(item.bytes for item in _items(study))


def total_seconds(study: Study, jobs: int) -> float:
    """Return a rough estimate of the time to write it with ``jobs`` workers."""
    rounds = -(-len(study.labels) // max(1, jobs))
    return 3.0 + rounds * sum(item.seconds for item in _items(study))


def _images(name: str, shape: tuple[int, ...], bytes_a_voxel: float, stream: str) -> Item:
    seconds = SECONDS_AN_IMAGE + SECONDS_A_MEGAVOXEL * prod(shape) / 1e6
    return Item(name, shape, int(prod(shape) * bytes_a_voxel), seconds, stream)


def _series(name: str, shape: tuple[int, ...], formats: Sequence[str], stream: str) -> Item:
    size = sum(BYTES_A_SAMPLE[one] for one in formats) * prod(shape)
    return Item(name, shape, int(size), SECONDS_AN_IMAGE + SECONDS_A_MEGASAMPLE * prod(shape) / 1e6, stream)


def _connectome(study: Study, subject: str) -> Item:
    """Both images of the weights, native and in template space, and the tables beside them."""
    n, grid = count_regions(study.subject), export_grid(study)
    volumes = 2 * (n + 2)
    size = int(volumes * grid.n_voxels * BYTES_A_VOXEL["weights"]) + BYTES_A_PAIR * n * n
    name = "connectome: image of its weights, native and in template space, and tables"
    seconds = SECONDS_AN_IMAGE + SECONDS_A_MEGAVOXEL * volumes * grid.n_voxels / 1e6
    return Item(name, (*grid.shape, n), size, seconds, f"sub-{subject}/structure")


def _scan(scan: Scan, study: Study) -> Item:
    modality, parameters = scan.instrument, scan.parameters
    durations = [
        r.duration
        for s in study.sessions
        for r in s.runs
        if s.label == scan.session and (r.task, r.run) == (scan.task, scan.run)
    ]
    shape = modality.shape(parameters, durations[0] if durations else 0.0)
    where = (f"ses-{scan.session}",) if scan.session is not None else ()
    path = run_path(scan.task, scan.run, scan.session) if scan.task is not None and scan.run is not None else where
    stream = "/".join((f"sub-{scan.subject}", *path, *scan_path(modality, parameters, scan.acquisition.repeat)))
    if modality.format != "nifti":
        of_observed = modality.format if modality.format_of is None else modality.format_of(parameters)
        return _series(f"{scan.raw.name} and its clean twin", shape, (of_observed, modality.format), stream)
    kept: tuple[str, ...] = ("observed", "clean")
    kept += {"bold": ("prep",) * _n_derived(scan), "t1w": ("prep", "truth")}.get(scan.modality, ())
    bytes_a_voxel = sum(BYTES_A_VOXEL[what] for what in kept)
    item = _images(f"{scan.raw.name} and its clean twin", shape, bytes_a_voxel, stream)
    once, a_megavoxel = modality.extra_seconds(parameters)
    of_grid, of_volumes = modality.extra_bytes(parameters)
    more = int(of_grid * prod(shape[:3]) + of_volumes * prod(shape))
    item = replace(item, bytes=item.bytes + more, seconds=item.seconds + once + a_megavoxel * prod(shape) / 1e6)
    if scan.modality == "bold" and scan.is_last and getattr(parameters, "surfaces", False):
        return replace(item, bytes=item.bytes + shape[-1] * BYTES_A_SURFACE)
    return item


def _n_derived(scan: Scan) -> int:
    """Return the preprocessed series that follow a file: one for an echo, after the last one also those of the combination."""
    spaces = 1 + ("T1w" in getattr(scan.parameters, "output_spaces", ()))
    if not scan.part:
        return spaces
    return 1 + (1 + spaces if scan.is_last else 0)


def _activity(run: Run, session: Session, study: Study, subject: str) -> Item:
    n, model = count_regions(study.subject), with_taps(as_model(run.model), run.taps)
    seconds = run.duration + LEAD
    samples = round(seconds * sum(tap.rate for tap in model.observables.values()))
    steps = (seconds + (model.transient if run.transient is None else run.transient)) / (run.step or model.step)
    stream = "/".join((f"sub-{subject}", *run_path(run.task, run.run, session.label), "activity"))
    name = f"activity {run.task} run {run.run}: {', '.join(model.observables)}"
    return Item(name, (samples, n), 4 * samples * n, steps / STEPS_A_SECOND * (n / 100) ** 2, stream)
