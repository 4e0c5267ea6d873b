"""The command line: simulate, plan, list, score, verify, cite. Heavy modules load only inside the command that needs them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fakeimaging.core.errors import FakeImagingError, InputError
from fakeimaging.core.text import aligned

if TYPE_CHECKING:
    from fakeimaging.core.parameters import Parameters
    from fakeimaging.core.registry import Registry
    from fakeimaging.dataset.study import Study
    from fakeimaging.scoring import Score

USER_ERROR, OUR_FAILURE = 2, 1
app = typer.Typer(
    help="Synthetic neuroimaging with exact truth: one simulated brain network, seen by every scanner.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
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
Small = Annotated[bool, typer.Option("--small", help="Coarse grids and short runs: a look within seconds.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Workers; the result does not depend on it.")]
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
) -> None:
    """Simulate a study, write it as a BIDS dataset with its truth, and score what standard analyses recover.

    Settings are key=value: subjects=4, subject.n_regions=50, runs.duration=600.0 (s), bold.tr=1.0 (s), seed=7.
    """
    from fakeimaging.dataset.cohort import simulate_study
    from fakeimaging.dataset.plan import total_bytes, total_seconds

    study = _study(settings, seed, subjects, only, small)
    size, seconds = total_bytes(study) / 1e6, total_seconds(study, jobs)
    print(f"{study.name}: {_count(len(study.labels), 'subject')}, seed {study.seed}")
    print(f"up to {size:.0f} MB in {out}, about {seconds:.0f} s with {_count(jobs, 'worker')}")
    with _progress(len(study.labels)) as step:
        simulate_study(study, out, jobs=jobs, progress=lambda label, state: step(f"sub-{label} {state}"))
    _print_score(out)
    print(f"\nDataset: {out}   truth: {out}/derivatives/fakeimaging-truth   check it: fakeimaging verify {out}")


@app.command()
def plan(
    settings: Settings = None,
    seed: Seed = None,
    subjects: Subjects = None,
    jobs: Jobs = 1,
    only: Only = None,
    small: Small = False,
) -> None:
    """Show what a study will write, before anything runs: shapes, sizes, time, random streams."""
    from fakeimaging.dataset.plan import plan as planned
    from fakeimaging.dataset.plan import total_bytes, total_seconds

    study = _study(settings, seed, subjects, only, small)
    items = planned(study)
    header = ["each subject writes", "shape", "MB up to", "s", "random stream"]
    rows = [
        [i.name, " x ".join(map(str, i.shape)), f"{i.bytes / 1e6:.1f}", f"{i.seconds:.1f}", i.stream] for i in items
    ]
    print(aligned([header, *rows]))
    print(f"\n{study.name}: {_count(len(study.labels), 'subject')}, seed {study.seed}")
    print(
        f"up to {total_bytes(study) / 1e6:.0f} MB, about {total_seconds(study, jobs):.0f} s with {_count(jobs, 'worker')}"
    )


@app.command("list")
def list_(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[models|modalities|NAME]", help="Everything when left out.", show_default=False),
    ] = None,
) -> None:
    """List models and modalities with every parameter: default, unit, bounds, source."""
    from fakeimaging.activity.models import MODELS
    from fakeimaging.core.errors import UnknownNameError, did_you_mean
    from fakeimaging.modalities import MODALITIES

    registries: dict[str, Registry[Any]] = {"models": MODELS, "modalities": MODALITIES}
    entries = [(kind, registry, name) for kind, registry in registries.items() for name in registry]
    chosen = [(registry, name) for kind, registry, name in entries if what in {None, kind, name}]
    if not chosen:
        raise UnknownNameError(
            f"cannot list '{what}'{did_you_mean(what or '', [*registries, *(e[2] for e in entries)])}"
        )
    for registry, name in chosen:
        print(f"\n{name}  ({registry.kind})")
        print(_parameter_table(registry.get(name).parameters))


def _parameter_table(parameters: type[Parameters]) -> str:
    columns = ("name", "default", "unit", "bounds", "description", "source")
    return aligned([columns, *([row[column] for column in columns] for row in parameters.table())], indent="  ")


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


def _study(settings: list[str] | None, seed: int | None, subjects: int | None, only: str | None, small: bool) -> Study:
    from fakeimaging.dataset.study import read_study

    given = list(settings or ())
    path = given.pop(0) if given and "=" not in given[0] else None
    overrides = [
        *given,
        *([f"seed={seed}"] if seed is not None else []),
        *([f"subjects={subjects}"] if subjects is not None else []),
    ]
    for text in overrides:
        if "=" not in text:
            raise InputError(f"'{text}' is not of the form key=value (one study file at most)", value=text)
    study = read_study(path, overrides)
    study = study.small() if small else study
    return study.only(name.strip() for name in only.split(",")) if only is not None else study


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _floor(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise InputError(f"--fail-under takes NAME=VALUE with a number, not '{text}'", value=text) from None


def _print_score(folder: Path, save: Path | None = None) -> Score:
    from fakeimaging.dataset.load import load
    from fakeimaging.scoring import score_dataset

    result = score_dataset(load(folder))
    if save is not None:
        result.save(save)
    print(f"\nWhat standard analyses recovered:\n{result}" if result.rows else "\nNothing here has a score yet.")
    return result


def _say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal, one line a step elsewhere."""
    if not sys.stderr.isatty():
        yield _say
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("simulating", total=total)

        def step(text: str) -> None:
            bar.update(task, advance=1, description=text)
            bar.console.print(text)

        yield step


def main() -> None:
    """Run the command line: 0 done, 1 our failure or a missed floor, 2 a mistake in what was asked for."""
    try:
        app()
    except FakeImagingError as error:
        print(f"fakeimaging: {error}", file=sys.stderr)
        raise SystemExit(USER_ERROR) from None
    except Exception as error:  # noqa: BLE001  the one guard: our own failures become a line
        print(
            f"fakeimaging failed ({type(error).__name__}: {error}); please report it with the command you ran",
            file=sys.stderr,
        )
        raise SystemExit(OUR_FAILURE) from error


if __name__ == "__main__":
    main()
