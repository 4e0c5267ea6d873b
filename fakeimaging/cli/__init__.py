"""The command line: simulate, plan, list, score, report, verify, cite, match. Heavy modules load inside the command that needs them."""

from __future__ import annotations

import errno
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from fakeimaging.core.errors import FakeImagingError, InputError
from fakeimaging.core.text import aligned

if TYPE_CHECKING:
    from fakeimaging.dataset.study import Study
    from fakeimaging.scoring import Score

USER_ERROR, OUR_FAILURE, INTERRUPTED = 2, 1, 130
app = typer.Typer(
    help="Synthetic neuroimaging with exact truth: one simulated brain network, seen by every scanner.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        from fakeimaging import __version__

        print(__version__)
        raise typer.Exit


Settings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[STUDY.toml] [key=value ...]",
        help="A study file (built-in when left out), then settings that change it.",
        show_default=False,
    ),
]
Seed = Annotated[int | None, typer.Option(help="Root of all random numbers.", show_default=False)]
Subjects = Annotated[int | None, typer.Option(help="Number of subjects.", show_default=False)]
Only = Annotated[
    str | None,
    typer.Option(metavar="MODALITY,...", help="Keep the scans of these modalities alone.", show_default=False),
]
Small = Annotated[
    bool, typer.Option("--small", help="Coarse grids, one short run of each task: a look within seconds.")
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Workers; the result does not depend on it.")]
Null = Annotated[
    bool, typer.Option("--null", help="The null twin: same subjects and noise, every effect of a covariate left out.")
]
DatasetFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="A dataset that `simulate` wrote.", show_default=False)
]


@app.command()
def simulate(
    settings: Settings = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder to write: new, empty, or an interrupted run of the same study.")
    ] = Path("my-dataset"),
    seed: Seed = None,
    subjects: Subjects = None,
    jobs: Jobs = 1,
    only: Only = None,
    small: Small = False,
    null: Null = False,
) -> None:
    """Simulate a study, write it as a BIDS dataset with its truth, and score what standard analyses recover.

    Settings are key=value: subjects=4, subject.n_regions=50, runs.duration=600.0 (s), runs.parameters.loop_gain=0.8, bold.tr=1.0 (s).
    `fakeimaging list` shows them all.
    """
    from fakeimaging.dataset.cohort import seeded, simulate_study

    study = seeded(_study(settings, seed, subjects, only, small, null), out)
    print(f"{study.name}: {_count(len(study.labels), 'subject')}, seed {study.seed}")
    print(f"{_amounts(study, jobs)}, in {out}", flush=True)
    with _progress(len(study.labels)) as step:
        simulate_study(study, out, jobs=jobs, progress=lambda label, state: step(f"sub-{label} {state}"))
    _print_score(out, whole=False)
    print(f"\nDataset: {out}   truth: {out}/derivatives/fakeimaging-truth   check it: fakeimaging verify {out}")


@app.command()
def plan(
    settings: Settings = None,
    seed: Seed = None,
    subjects: Subjects = None,
    jobs: Jobs = 1,
    only: Only = None,
    small: Small = False,
    null: Null = False,
) -> None:
    """Show what a study will write, before anything runs: shapes, sizes, time, random streams."""
    from fakeimaging.dataset.plan import cohort, design, faint, stimuli
    from fakeimaging.dataset.plan import plan as planned
    from fakeimaging.dataset.tasks import tasks

    study = _study(settings, seed, subjects, only, small, null)
    items = planned(study)
    header = ["each subject writes", "shape", "MB up to", "s", "random stream"]
    rows = [
        [i.name, " x ".join(map(str, i.shape)), f"{i.bytes / 1e6:.1f}", f"{i.seconds:.1f}", i.stream] for i in items
    ]
    print(aligned([header, *rows]))
    presented = tasks(study)
    if shown := stimuli(presented):
        print(f"\n{aligned([['stimuli', 'model', 'condition', 'amplitude', 'at most', 'imposed peak'], *shown])}")
    for line in faint(presented):
        print(f"note: {line}")
    if shown := cohort(study):
        print(f"\n{aligned([['covariate', 'values'], *shown])}")
    if shown := design(study):
        header = ["effect on", "covariate", "in the file", "size", "SD between subjects", "size / SD"]
        print(f"\n{aligned([header, *shown])}")
    seed_text = "drawn when it runs" if study.seed is None else study.seed
    print(f"\n{study.name}: {_count(len(study.labels), 'subject')}, seed {seed_text}")
    print(_amounts(study, jobs))


@app.command("list")
def list_(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[models|modalities|tracers|study|runs|conditions|designs|NAME]",
            help="Everything when left out.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """List study keys, models, modalities and tracers with every parameter: default, unit, what is allowed, source."""
    from fakeimaging.cli.listing import print_listing

    print_listing(what)


@app.command()
def score(
    dataset: DatasetFolder,
    fail_under: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Exit 1 when the lowest score of this name is below.")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Write the table as .tsv or .json.", show_default=False)] = None,
) -> None:
    """Run standard analyses on a dataset and compare with its truth."""
    floors = dict(_floor(text) for text in fail_under or ())
    result = _print_score(dataset, save)
    missed = result.failures(floors)
    for line in missed:
        print(line, file=sys.stderr)
    if missed:
        raise typer.Exit(1)


@app.command()
def report(
    dataset: DatasetFolder,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Page to write; DIR.html when left out.")
    ] = None,
    jobs: Jobs = 1,
) -> None:
    """Write one page of pictures and scores that needs no network: what was simulated, what each scanner saw, what is truth."""
    from fakeimaging.dataset.load import load
    from fakeimaging.plotting.report import write_report

    opened = load(dataset)
    page = out if out is not None else dataset.resolve().with_name(f"{dataset.resolve().name}.html")
    with _progress(2 * len(opened.subjects) + len(opened.scans()), "drawing", lines=False) as step:
        write_report(opened, page, jobs=jobs, progress=step)
    print(f"report: {page} ({page.stat().st_size / 1e6:.1f} MB)")


@app.command()
def verify(dataset: DatasetFolder) -> None:
    """Make a dataset again from its own record and compare; exit 1 when anything differs."""
    from fakeimaging.dataset.load import load
    from fakeimaging.dataset.verify import verify as compare

    problems = 0
    for label in load(dataset).subjects:
        verdict = compare(dataset, label)
        problems += len(verdict.problems)
        state = "agrees" if not verdict.problems else "differs"
        print(f"sub-{label}: {verdict.n_files} files, {verdict.how}: {state}")
        for line in verdict.problems:
            print(f"  {line}", file=sys.stderr)
    if problems:
        raise typer.Exit(1)


@app.command()
def cite(
    dataset: Annotated[
        Path, typer.Argument(metavar="DIR", help="A dataset that `simulate` wrote.", show_default=False)
    ],
) -> None:
    """Print the papers behind exactly what a dataset used."""
    from fakeimaging.dataset.load import load

    for reference in load(dataset).references():
        print(reference)


@app.command("match")
def match_(
    image: Annotated[
        Path, typer.Argument(metavar="IMAGE", help="A 4-D image (NIfTI) of a real scan.", show_default=False)
    ],
    mask: Annotated[Path | None, typer.Option(help="Voxels to look at (3-D image).", show_default=False)] = None,
    tr: Annotated[
        float | None, typer.Option(help="Repetition time in s, if the header has none.", show_default=False)
    ] = None,
    tsnr: Annotated[Path | None, typer.Option(help="Write the map of temporal SNR here.", show_default=False)] = None,
) -> None:
    """Measure the noise of a real scan, and print what simulates it: lines for a study file."""
    from fakeimaging.cli.measured import print_match

    print_match(image, mask, tr, tsnr)


@app.command("netsim")
def netsim_(
    case: Annotated[int, typer.Argument(metavar="CASE", help="1 to 28, as in Smith et al. 2011.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, in the published layout.")] = Path("sim.mat"),
    seed: Annotated[int, typer.Option(help="Root of all random numbers.")] = 1,
    subjects: Annotated[int, typer.Option(min=1, help="Number of subjects.")] = 50,
    inputs: Annotated[str, typer.Option(help="on_off, or gaussian: its twin without higher orders.")] = "on_off",
    jobs: Jobs = 1,
) -> None:
    """Simulate one of NetSim's networks, and print what correlations recover of it."""
    from fakeimaging.cli.measured import print_netsim

    print_netsim(case, subjects, seed, inputs, jobs, out)


def _study(
    settings: list[str] | None, seed: int | None, subjects: int | None, only: str | None, small: bool, null: bool
) -> Study:
    from fakeimaging.dataset.study import read_study

    files = [text for text in settings or () if "=" not in text]
    if len(files) > 1:
        raise InputError(f"one study file at most, settings are key=value: {', '.join(files)}", value=files)
    overrides = [text for text in settings or () if "=" in text]
    overrides += [f"seed={seed}"] if seed is not None else []
    overrides += [f"subjects={subjects}"] if subjects is not None else []
    overrides += ["null=true"] if null else []
    study = read_study(files[0] if files else None, overrides, small=small)
    if study.null and not study.effects:
        _warn("`null`: no covariate has an effect in this study; its null twin is the study itself")
    return study.only(name.strip() for name in only.split(",")) if only is not None else study


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _amounts(study: Study, jobs: int) -> str:
    """What the study takes: room and time."""
    from fakeimaging.dataset.plan import total_bytes, total_seconds

    size = total_bytes(study) / 1e6
    room = f"{size:.0f} MB" if size < 1e4 else f"{size / 1e3:.0f} GB"
    return f"up to {room}, about {_duration(total_seconds(study, jobs))} with {_count(jobs, 'worker')}"


def _duration(seconds: float) -> str:
    if seconds < 300:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 20_000 else f"{seconds / 3600:.0f} h"


def _floor(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        floor = float(value)
    except ValueError:
        floor = math.nan
    if not math.isfinite(floor):
        raise InputError(f"--fail-under takes NAME=VALUE with a number, not '{text}'", value=text)
    return name, floor


def _print_score(folder: Path, save: Path | None = None, *, whole: bool = True) -> Score:
    from fakeimaging.dataset.load import load
    from fakeimaging.scoring import score_dataset

    dataset = load(folder)
    steps = len(dataset.subjects) + len(dataset.scans()) + bool(dataset.study.effects)
    with _progress(steps, "scoring", lines=False) as step:
        result = score_dataset(dataset, progress=step)
    if save is not None:
        result.save(save)
        print(f"saved to {save}")
    table = str(result) if whole else f"{result.summary()}\nEvery row: fakeimaging score {folder}"
    print(
        f"\nWhat standard analyses recovered:\n{table}"
        if result.rows
        else "\nNo score exists for what is in this dataset."
    )
    return result


def _say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def _progress(total: int, doing: str = "simulating", *, lines: bool = True) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal; elsewhere one line a step, or nothing."""
    if not sys.stderr.isatty():
        yield _say if lines else lambda text: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=total)

        def step(text: str) -> None:
            bar.update(task, advance=1, description=text)
            if lines:
                bar.console.print(text)

        yield step


def _warn(message: Warning | str, *where: object, **more: object) -> None:
    print(f"fakeimaging: note: {message}", file=sys.stderr)


def main() -> None:
    """Run the command line: 0 done, 1 our failure or a missed floor, 2 a mistake in what was asked for, 130 interrupted."""
    warnings.showwarning = _warn
    try:
        app()
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            print("fakeimaging: interrupted; the same command goes on where it stopped", file=sys.stderr)
        raise
    except FakeImagingError as error:
        print(f"fakeimaging: {error}", file=sys.stderr)
        raise SystemExit(USER_ERROR) from None
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}:
            _broken(error)
        print(f"fakeimaging: {error}; mend that and run the same command again", file=sys.stderr)
        raise SystemExit(USER_ERROR) from None
    except Exception as error:  # noqa: BLE001  the one guard: our own failures become a line
        _broken(error)


def _broken(error: Exception) -> NoReturn:
    text = f"fakeimaging failed ({type(error).__name__}: {error}); please report it with the command you ran"
    print(text, file=sys.stderr)
    raise SystemExit(OUR_FAILURE) from error


if __name__ == "__main__":
    main()
