"""One self-contained page about a dataset: what it is, pictures of every scan beside their truth, scores, and whom to cite.

The page needs no network and no script; pictures are PNG inside it. The same dataset gives the same bytes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from html import escape
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from fakeimaging.core.citations import Reference
from fakeimaging.core.files import write_text
from fakeimaging.dataset.load import Dataset, load
from fakeimaging.dataset.names import Scan
from fakeimaging.plotting import PICTURES
from fakeimaging.plotting.canvas import Picture, Volume, styled
from fakeimaging.plotting.structure import plot_connectome, plot_structural_export
from fakeimaging.plotting.traces import Traces, plot_traces
from fakeimaging.plotting.volumes import plot_planes
from fakeimaging.scoring import score_dataset
from fakeimaging.scoring.electro.files import read_channels, read_table
from fakeimaging.scoring.table import Row, Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 980px; margin: 2em auto; padding: 0 1em; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.2em; border-bottom: 1px solid #d5dce3; } h3 { margin-top: 1.8em; }
table { border-collapse: collapse; font-size: 13px; } th, td { text-align: left; padding: 2px 12px 2px 0; }
th { border-bottom: 1px solid #9aa5b1; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.missed td { background: #fde8e8; } figure { margin: 1em 0; } img { max-width: 100%; }
h4 { margin: 0.3em 0; } figcaption { font-size: 13px; color: #52606d; } code { font-size: 92%; } li { font-size: 13px; }
"""
SHOWN_UNITS = {"uV": "uV", "V": "uV", "T": "fT", "T/m": "fT/cm"}
"""How channels of each unit are drawn."""
NUMBERS = {"estimate", "truth", "error", "chance", "n", "snr"}

LONG = 1e4
"""Seconds: a run long enough for any scan to have its first volume."""


def write_report(
    dataset: Dataset,
    out: Path,
    *,
    score: Score | None = None,
    jobs: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write the report of a dataset as one HTML file.

    Parameters
    ----------
    dataset : Dataset
    out : Path
        File to write.
    score : Score, optional
        Computed when left out.
    jobs : int
        Subjects that are drawn at once; the page does not depend on it.
    progress : callable, optional
        Called with what is scored or drawn next.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    InputError
        If a subject is not finished or a file of it is missing or cut short.
    """
    from joblib import Parallel, delayed

    say = progress or (lambda name: None)
    scored = score_dataset(dataset, progress=say) if score is None else score
    body = [*_summary(dataset), *_scores(scored)]
    drawn = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(_subject)(dataset.root, label) for label in dataset.subjects
    )
    for label, part in zip(dataset.subjects, drawn, strict=True):
        say(f"sub-{label} drawn")
        body += part
    write_text(out, _page(dataset.study.name, [*body, *_references(dataset.references())]))
    return out


def _subject(root: Path, label: str) -> list[str]:
    """Return the section of one subject."""
    dataset = load(root)
    body = [f'<h2 id="sub-{escape(label)}">Subject {escape(label)}</h2>', *_structure(dataset, label)]
    for scan in dataset.scans(label):
        body += _scan(dataset, scan) if scan.is_first else []
    return body


def _page(title: str, body: Iterable[str]) -> str:
    head = f'<meta charset="utf-8" />\n<title>{escape(title)}</title>\n<style>{STYLE}</style>'
    content = "\n".join(body)
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{content}\n</body>\n</html>\n'


def _summary(dataset: Dataset) -> Iterator[str]:
    """Say what the study is: subjects, runs, scans, shapes and sizes."""
    study = dataset.study
    yield f"<h1>{escape(study.name)}</h1>"
    yield (
        f"<p>A simulated study of {len(study.labels)} subject{'s' * (len(study.labels) != 1)} (seed {study.seed}); no human took "
        "part. One simulated brain network a subject made the activity that every scanner below saw, so that each file has its truth. "
        "Not for clinical use.</p>"
    )
    runs = [
        [
            session.label or "",
            run.task,
            run.run,
            f"{run.duration:g} s",
            run.model,
            ", ".join(c.trial_type for c in run.conditions),
        ]
        for session in study.sessions
        for run in session.runs
    ]
    yield from _table(["session", "run of", "number", "length", "model", "conditions"], runs)
    scans = [
        [
            scan.raw.as_posix(),
            scan.modality,
            _lasts(scan, dataset),
            _shape(scan, dataset),
            f"{_bytes(scan, dataset) / 1e6:.1f}",
        ]
        for scan in dataset.scans()
    ]
    yield from _table(["scan", "modality", "length", "shape", "MB"], scans, {"MB"})


def _shape(scan: Scan, dataset: Dataset) -> str:
    wanted = scan.instrument.parameters.parse(scan.acquisition.parameters)
    return " x ".join(map(str, scan.instrument.shape(wanted, _seconds(scan, dataset))))


def _seconds(scan: Scan, dataset: Dataset) -> float:
    """Return the length of the run that a scan images, 0 for a structural one."""
    runs = (
        run.duration
        for session in dataset.study.sessions
        for run in session.runs
        if (session.label, run.task, run.run) == (scan.session, scan.task, scan.run)
    )
    return next(runs, 0.0)


def _lasts(scan: Scan, dataset: Dataset) -> str:
    wanted = scan.instrument.parameters.parse(scan.acquisition.parameters)
    _, clock = scan.instrument.geometry(wanted, _seconds(scan, dataset))
    return (
        ""
        if clock is None
        else f"{clock.n} volumes"
        if scan.instrument.format == "nifti"
        else f"{clock.n * clock.step:g} s"
    )


def _bytes(scan: Scan, dataset: Dataset) -> int:
    """Return the size of a scan: one file, or the header with the samples beside it."""
    path = dataset.root / scan.raw
    return sum(
        part.stat().st_size for part in path.parent.glob(f"{path.name.split('.')[0]}.*") if part.suffix != ".json"
    )


def _scores(score: Score) -> Iterator[str]:
    """List every score; a row that does not beat its chance is marked by colour and word."""
    yield '<h2 id="scores">What standard analyses recovered</h2>'
    missed = sum(not row.beats_chance for row in score)
    words = "all beat chance" if not missed else f"{missed} do not beat chance and are marked"
    yield f"<p>{len(score.rows)} scores: {words}. Estimates read what a user gets, never the truth they are compared with.</p>"
    header = [field.name for field in fields(Row)]
    yield from _table(
        [*header, "beats chance"], map(_score_row, score), NUMBERS, [not row.beats_chance for row in score]
    )


def _score_row(row: Row) -> list[object]:
    values = [getattr(row, field.name) for field in fields(Row)]
    shown: list[object] = [_number(value) if isinstance(value, float) else value for value in values]
    return [*shown, "yes" if row.beats_chance else "no"]


def _number(value: float) -> str:
    return "n/a" if value != value else f"{value:.3f}"


def _table(
    header: list[str], rows: Iterable[Sequence[object]], numbers: Iterable[str] = (), marked: Iterable[bool] = ()
) -> Iterator[str]:
    right = [' class="number"' if name in set(numbers) else "" for name in header]
    yield "<table>\n<tr>" + "".join(f"<th>{escape(name)}</th>" for name in header) + "</tr>"
    for row, missed in zip(rows, chain(marked, repeat(False)), strict=False):
        cells = "".join(f"<td{kind}>{escape(str(cell))}</td>" for kind, cell in zip(right, row, strict=True))
        yield f'<tr class="missed">{cells}</tr>' if missed else f"<tr>{cells}</tr>"
    yield "</table>"


def _structure(dataset: Dataset, label: str) -> Iterator[str]:
    """Yield the pictures of a subject's connectome."""
    words = "Truth: regions (size: total weight, colour: network), the strongest tracts between them, and the matrix of weights."
    yield from _figure(Picture("Connectome", words, plot_connectome(dataset.subject(label))), f"sub-{label} connectome")
    words = "The connectome as static images on the grid of the BOLD series: what reaches each region, what leaves it, and one volume."
    export = Picture("Structural export", words, plot_structural_export(dataset, label))
    yield from _figure(export, f"sub-{label} structural export")


def _scan(dataset: Dataset, scan: Scan) -> Iterator[str]:
    """Yield the section of a scan, one for all its parts."""
    name = escape(scan.whole)
    yield f'<h3 id="{name}">{name}</h3>'
    made = PICTURES.get(scan.modality)(dataset, scan) if scan.modality in PICTURES else plain_pictures(dataset, scan)
    for picture in made:
        yield from _figure(picture, scan.whole)


def plain_pictures(dataset: Dataset, scan: Scan) -> Iterator[Picture]:
    """Yield a picture of each part of a scan whose modality has none of its own: planes through its first volume, or traces."""
    for part in scan.parts:
        yield _plain(dataset, part)


def _plain(dataset: Dataset, scan: Scan) -> Picture:
    path = dataset.root / scan.raw
    if scan.instrument.format != "nifti":
        return Picture(
            "Traces", f"A stretch of {scan.raw} over the same without noise (truth).", _plain_traces(dataset, scan)
        )
    _, clock = scan.instrument.geometry(scan.parameters, LONG)
    first = Volume.read(path, None if clock is None else 0)
    return Picture("Image", f"What the scanner saw: {scan.raw}.", plot_planes(first))


def _plain_traces(dataset: Dataset, scan: Scan) -> Figure:
    """Draw the channels of the unit that most of them have."""
    lines = [line for line in read_table(dataset.root / scan.beside("channels.tsv")) if line["units"] in SHOWN_UNITS]
    units = [line["units"] for line in lines]
    unit = max(SHOWN_UNITS, key=units.count)
    kinds = tuple(dict.fromkeys(line["type"] for line in lines if line["units"] == unit))
    observed, clean = (read_channels(dataset.root, scan, kinds, clean=clean) for clean in (False, True))
    return plot_traces(Traces(observed.names, observed.rate, observed.samples, clean.samples, SHOWN_UNITS[unit]))


def _figure(picture: Picture, what: str) -> Iterator[str]:
    yield f"<figure>\n<h4>{escape(picture.title)}</h4>"
    yield f'<img alt="{escape(f"{what}: {picture.title}")}" src="data:image/png;base64,{png(picture.figure)}" />'
    yield f"<figcaption>{escape(picture.caption)}</figcaption>\n</figure>"


@styled
def png(figure: Figure) -> str:
    """Return a figure as PNG in base64, without a word on what drew it and when."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 4})
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _references(references: Iterable[Reference]) -> Iterator[str]:
    yield '<h2 id="cite">How to cite</h2>'
    yield "<p>The papers behind exactly what this dataset used:</p>\n<ul>"
    for reference in references:
        words = f"{escape(reference.authors)} ({reference.year})"
        if reference.doi.startswith("10."):
            words += f', <a href="https://doi.org/{quote(reference.doi)}">doi:{escape(reference.doi)}</a>'
        else:
            words += f", {escape(reference.doi)}"
        yield f"<li>{words}: {escape(reference.reason)}</li>"
    yield "</ul>"
