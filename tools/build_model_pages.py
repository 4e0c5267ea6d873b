"""Write docs/models: a page and a picture a model, and an index, from the models' own metadata.

Run: python tools/build_model_pages.py [NAME ...] writes every page, or those named, with pictures (a few minutes);
with --text it leaves the pictures alone, and with --check it only tells which pages are not what it would write.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from model_diagrams import DIAGRAMS, SHOWN, SUBJECT_SEED, Diagram, Shown, recipe

from fakeimaging.activity.model import Model
from fakeimaging.activity.models import MODELS
from fakeimaging.core.citations import Reference
from fakeimaging.core.files import write_text

PAGES = Path(__file__).parents[1] / "docs" / "models"
NOTICE = "<!-- Written by tools/build_model_pages.py from the model's own file: edit that, not this. -->"
SCHEMES = {"euler": "Euler-Maruyama", "heun": "Heun", "rk4": "Runge-Kutta of order 4"}
CALCULUS = {"ito": "Ito", "stratonovich": "Stratonovich"}
COLUMNS = ("name", "symbol", "default", "unit", "bounds", "description", "source")


def main() -> int:
    """Write pages, or check them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="models; all when left out")
    parser.add_argument("--text", action="store_true", help="leave the pictures alone")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is stale or missing")
    options = parser.parse_args()
    names = options.names or sorted(MODELS.builtin)
    if options.check:
        problems = list(stale(names))
        print("\n".join(problems) or f"{len(names)} pages are as they should be")
        return min(1, len(problems))
    for name in names:
        write_text(PAGES / f"{name}.md", page(name, MODELS.get(name)))
        if not options.text:
            draw(name)
    write_text(PAGES / "README.md", index())
    return 0


def draw(name: str) -> None:
    """Write the picture of a model."""
    from model_pictures import write_picture

    size = write_picture(name, PAGES / f"{name}.png")
    print(f"{name}.png  {size / 1e3:.0f} kB", flush=True)


def stale(names: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with the pages: a line for each that is missing, old, or of no model."""
    expected = {f"{name}.md": page(name, MODELS.get(name)) for name in names} | {"README.md": index()}
    for file, text in expected.items():
        found = (PAGES / file).read_text() if (PAGES / file).is_file() else None
        if found != text:
            yield f"docs/models/{file} is {'missing' if found is None else 'stale'}: python tools/build_model_pages.py --text"
    for name in names:
        made = made_from(PAGES / f"{name}.png")
        if made != recipe(name):
            yield f"docs/models/{name}.png is {'stale' if made else 'missing'}: python tools/build_model_pages.py {name}"
    for path in sorted(PAGES.glob("*.*")):
        if path.stem != "README" and path.stem not in MODELS.builtin:
            yield f"docs/models/{path.name} belongs to no model: delete it"


def made_from(picture: Path) -> str:
    """Return the digest that a picture was made from, "" where there is none."""
    from PIL import Image

    if not picture.is_file():
        return ""
    with Image.open(picture) as image:
        return str(image.info.get("recipe", "unknown"))


def index() -> str:
    """Return the page that lists every model."""
    rows = []
    for name in sorted(MODELS.builtin):
        model = MODELS.get(name)
        papers = "; ".join(link(reference) for reference in model.references)
        rows.append((f"[{name}]({name}.md)", codes(model.states), escaped(title_of(model)), papers))
    return "\n".join(
        [
            NOTICE,
            "# Models",
            "",
            "Every model that comes with the package, from its own metadata. `fi.simulate_activity(subject, model=NAME)` runs one,",
            "`model = NAME` in a study file too; `fakeimaging list NAME` prints its parameters. One of your own is one Python file:",
            "see `examples/own_model.py` and `examples/own_network.py`.",
            "",
            *table(("model", "states", "what it is", "papers"), rows),
            "",
        ]
    )


def page(name: str, model: Model) -> str:
    """Return the page of a model."""
    parts = [
        NOTICE,
        f"# {name}",
        "",
        *documentation(model),
        f"![Behaviour of {name}]({name}.png)",
        "",
        caption(name),
        "",
        *run_section(name),
        "## How it runs",
        "",
        *table(("", ""), list(facts(model))),
        "",
        "## What it shows",
        "",
        *table(("observable", "unit", "samples per second", "what"), list(observables(model))),
        "",
        *parameter_section(model),
        "## References",
        "",
        *(f"- {link(reference)}: {escaped(reference.reason)}" for reference in model.references),
        "",
    ]
    return "\n".join(parts)


def module_text(model: Model) -> str:
    """Return the docstring of the file that a model stands in."""
    return inspect.cleandoc(inspect.getmodule(model.drift).__doc__ or "")


def title_of(model: Model) -> str:
    """Return what a model is, in a line: the first paragraph of its file."""
    return " ".join(module_text(model).split("\n\n")[0].split())


def documentation(model: Model) -> Iterator[str]:
    """Yield the docstring of a model's file, its indented blocks as code."""
    for block in module_text(model).split("\n\n"):
        lines = block.strip("\n").split("\n")
        if all(line.startswith("    ") for line in lines):
            yield from ("```text", *(line[4:] for line in lines), "```")
        else:
            yield escaped(" ".join(line.strip() for line in lines))
        yield ""


def run_section(name: str) -> list[str]:
    """Return the lines of Python that run a model."""
    return [
        "## Run it",
        "",
        "```python",
        "import fakeimaging as fi",
        "",
        'subject = fi.make_subject("01", seed=1)',
        f'activity = fi.simulate_activity(subject, model="{name}", duration=60.0)',
        'rates = activity.tap("rate").from_start().by_region  # Hz, shape (n_regions, n_samples), from t = 0',
        "```",
        "",
    ]


def facts(model: Model) -> Iterator[tuple[str, str]]:
    """Yield what a model is made of and how it is integrated."""
    yield "states", codes(model.states)
    yield "derivatives", said(model.drift)
    yield "sent along the tracts", sent(model) or "nothing"
    yield "stimulus", model.stimulus_range
    yield "noise", noise(model)
    if exact := [
        *map(rotation, model.rotating),
        *(f"`{state}` decays at `{rate}`" for state, rate in model.decays.items()),
    ]:
        yield "in exact steps", "; ".join(exact)
    if held := [f"`{state}` within {low:g} and {high:g}" for state, (low, high) in model.limits.items()]:
        yield "held", "; ".join(held)
    if model.angles:
        yield "angles", f"{codes(model.angles)}, within half a turn of 0"
    if model.uniform:
        yield "same in every region", codes(model.uniform)
    yield "start", said(model.prepare)
    yield "integrator", f"{SCHEMES[model.scheme]} (`{model.scheme}`), steps of {model.step * 1e3:g} ms"
    yield "dropped at the start", f"{model.transient:g} s"
    yield "inside regions", "parts differ (sub-regional modes)" if model.modes else "all parts alike"


def rotation(pair: Any) -> str:
    """Return what turns around each other in exact steps."""
    return f"`{pair.real}` and `{pair.imaginary}` turn at `{pair.frequency}` and grow at `{pair.growth}`"


def sent(model: Model) -> str:
    """Return what a region sends to others."""
    functions = (
        f"`{name}` ({said(function).removeprefix('Sent: ').rstrip('.')})" for name, function in model.sent.items()
    )
    return "; ".join((*(f"`{state}`" for state in model.coupled), *functions))


def noise(model: Model) -> str:
    """Return which states noise drives, and how an amplitude that varies is read."""
    if model.diffusion is None:
        return "none"
    processes = [codes(s for s, k in model.driven if k == process) for process in range(model.n_noises)]
    shared = (
        "one white noise each" if all("," not in names for names in processes) else "one white noise for each group"
    )
    varies = set(inspect.signature(model.diffusion).parameters) & set(model.states)
    reading = f"; read as {CALCULUS[model.calculus]}" if varies else "; the amplitude does not depend on the state"
    return f"{'; '.join(processes)}: {shared}{reading}. {said(model.diffusion)}"


def observables(model: Model) -> Iterator[tuple[str, str, str, str]]:
    """Yield a row for each tap of a model."""
    for name, observable in model.observables.items():
        yield f"`{name}`", observable.unit, f"{observable.rate:g}", said(observable.function)


def parameter_section(model: Model) -> list[str]:
    """Return the table of parameters."""
    rows = [tuple(cell(column, row[column]) for column in COLUMNS) for row in model.parameters.table()]
    return [
        "## Parameters",
        "",
        "Bounds include both ends. A source that says `assumed` is a choice of ours.",
        "",
        *table(COLUMNS, rows),
        "",
    ]


def cell(column: str, text: str) -> str:
    """Return a value of the table of parameters as Markdown."""
    if column in {"name", "symbol"}:
        return f"`{text}`" if text else ""
    if column == "default":
        return "left out" if text == "None" else text
    return linked(escaped(text))


def caption(name: str) -> str:
    """Return what the picture of a model shows."""
    shown, diagram = SHOWN.get(name, Shown()), DIAGRAMS.get(name)
    values = (
        f"with {settings(shown.parameters)} and all else at its default"
        if shown.parameters
        else "with default parameters"
    )
    if shown.zone:
        values += f", but {settings(shown.zone)} in the first two regions shown"
    text = (
        f"One run of {shown.duration:g} s of the built-in subject (100 regions, seed {SUBJECT_SEED}) {values}. Left: four cortical "
        "regions; one bar for all. Middle, above: mean spectrum over cortical regions. Right: the weights, and the "
        "correlations of the regions' mean rates in each second, regions sorted by network."
    )
    return f"*{text} {diagram_caption(diagram) if diagram else 'Middle, below: correlations against weights.'}*"


def diagram_caption(diagram: Diagram) -> str:
    """Return what the diagram below the spectrum shows."""
    known = "; ".join(f"{text} at {at:g}" for at, text in diagram.known)
    dashed = f" Dashed: {known} ({linked(diagram.source)})." if known else ""
    closed = f" Red: {diagram.theory_text}." if diagram.theory_text else ""
    return f"Middle, below: {diagram.caption}; the triangle is the default.{dashed}{closed}"


def settings(parameters: Mapping[str, Any]) -> str:
    """Return parameters as words."""
    return ", ".join(f"`{name}` {value}" for name, value in parameters.items())


def said(function: Callable[..., Any]) -> str:
    """Return the first paragraph of a function's docstring."""
    return escaped(" ".join(inspect.cleandoc(function.__doc__ or "").split("\n\n")[0].split()))


def codes(names: Iterable[str]) -> str:
    """Return names as code, with commas."""
    return ", ".join(f"`{name}`" for name in names)


def link(reference: Reference) -> str:
    """Return a reference with its address."""
    where = f"[{reference.doi}](https://doi.org/{reference.doi})" if reference.doi.startswith("10.") else reference.doi
    return f"{reference.authors} ({reference.year}), {where}"


def linked(text: str) -> str:
    """Return text in which each DOI is a link."""
    return re.sub(r"doi:(10\.\S+?)(?=[;,]?(?:\s|$))", r"[doi:\1](https://doi.org/\1)", text)


def escaped(text: str) -> str:
    """Return text for Markdown: what stands for itself outside of code (x*, a < b, rows | none) keeps doing so."""
    parts = re.split(r"(``.+?``|`.+?`)", text)
    return "".join(part if i % 2 else re.sub(r"([*<|])", r"\\\1", part) for i, part in enumerate(parts))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table."""
    return [f"| {' | '.join(line)} |".replace("|  |", "| |") for line in (header, ["---"] * len(header), *rows)]


if __name__ == "__main__":
    sys.exit(main())
