"""What `fakeimaging list` prints: study keys, models, modalities and tracers with their parameters, and what else goes by a name."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from fakeimaging.core.text import aligned, folded

if TYPE_CHECKING:
    from fakeimaging.activity.model import Model
    from fakeimaging.core.parameters import Parameters
    from fakeimaging.modalities.modality import Modality


def print_listing(what: str | None) -> None:
    """Print one thing, a kind of things, or everything.

    Raises
    ------
    UnknownNameError
        If there is nothing of that name.
    """
    from fakeimaging.activity.models import MODELS
    from fakeimaging.activity.stimuli import Condition, Design
    from fakeimaging.activity.stimuli.source_spec import SourceSpec
    from fakeimaging.core.errors import UnknownNameError, did_you_mean
    from fakeimaging.dataset.covariates import Covariate
    from fakeimaging.dataset.effects import Effect, Variability
    from fakeimaging.dataset.study import Run
    from fakeimaging.modalities import MODALITIES
    from fakeimaging.modalities.electro.implants import Implant
    from fakeimaging.modalities.pet.imposed import Challenge, Displaced
    from fakeimaging.modalities.pet.scanners import SCANNERS
    from fakeimaging.modalities.pet.tracers import TRACERS
    from fakeimaging.structure.parameters import SubjectParameters

    entries: dict[str, dict[str, tuple[type[Parameters], str]]] = {
        "study": {
            "subject": (SubjectParameters, ""),
            "runs": (Run, ""),
            "conditions": (Condition, " of a run"),
            "designs": (Design, " of a run"),
            "sources": (SourceSpec, " of a run"),
            "devices": (Implant, " of ieeg.implants"),
            "challenges": (Challenge, " of pet"),
            "displaced": (Displaced, " places, of pet"),
            "covariates": (Covariate, " of the subjects"),
            "effects": (Effect, " of a covariate"),
            "variability": (Variability, " between subjects"),
        },
        "models": {name: (MODELS.get(name).parameters, _about(MODELS.get(name))) for name in MODELS},
        "modalities": {name: (MODALITIES.get(name).parameters, _stages(MODALITIES.get(name))) for name in MODALITIES},
    }
    if what in {None, "tracers"}:
        _list_tracers()
    if what in NAMED:
        _list_named(what)
    if what in {None, "models"}:
        _list_models()
    chosen = [
        (kind, name, *row)
        for kind, rows in entries.items()
        for name, row in rows.items()
        if what == name or (kind != "models" and what in {None, kind})
    ]
    if not chosen and not _list_pet(what) and what not in {"tracers", "models", *NAMED}:
        known = {"tracers", *entries, *NAMED, *TRACERS, *SCANNERS, *(n for r in entries.values() for n in r)}
        raise UnknownNameError(f"cannot list '{what}'{did_you_mean(what or '', known)}")
    for kind, name, parameters, note in chosen:
        print(f"\n{name}  ({kind}{note})")
        columns = ("name", "default", "unit", "bounds", "description", "source")
        rows = [[row[column] for column in columns] for row in parameters.table()]
        print(_table([columns, *rows]))


def _title(model: Model) -> str:
    """Return the first sentence of the file a model is written in."""
    import inspect

    text = getattr(inspect.getmodule(model.drift), "__doc__", None) or model.name
    return " ".join(text.split("\n\n")[0].split())


def _about(model: Model) -> str:
    return f": {_title(model)}; stimulus: {model.stimulus_range}"


def _list_models() -> None:
    from fakeimaging.activity.models import MODELS

    print("\nmodels  (runs.model=NAME, or a .py file of your own; `fakeimaging list NAME`: its parameters)")
    found = [(name, MODELS.get(name)) for name in MODELS]
    rows = [(name, ", ".join(model.observables), model.stimulus_range, _title(model)) for name, model in found]
    print(_table([("name", "taps", "stimulus", "what"), *rows]))


def _list_tracers() -> None:
    from fakeimaging.modalities.pet.tracers import TRACERS

    table = TRACERS.table()
    print(
        "\ntracers  (pet.tracer=NAME, or a .toml file with a table of your own; times are of a usual scan; "
        "`fakeimaging list NAME`: its numbers)"
    )
    print(_table([list(table[0]), *(list(row.values()) for row in table)]))


def _list_pet(what: str | None) -> bool:
    """Print the numbers of a tracer or scanner of ours; say whether there is one of that name."""
    from fakeimaging.modalities.pet.scanners import SCANNERS
    from fakeimaging.modalities.pet.tracers import TRACERS

    for kind, shelf in (("tracer", TRACERS), ("scanner", SCANNERS)):
        if what is not None and what in shelf:
            print(
                f'\n{what}  ({kind}; a file of your own, pet.{kind}=mine.toml, may say like = "{what}" and what is other)'
            )
            print(_table([("key", "value", "unit", "source"), *shelf.numbers(what)]))
            return True
    return False


NAMED = {
    "montages": "eeg.montage=NAME, a file of electrodes, or names of the 10-05 system",
    "arrays": "meg.array=NAME",
    "implants": "ieeg.implants=NAME, or devices in the study; `fakeimaging list devices`: what one has",
    "waveforms": "waveform=NAME of a source that a run imposes",
    "scanners": "pet.scanner=NAME, or a .toml file with a table of your own; `fakeimaging list NAME`: its numbers",
    "faults": "pet.fault=NAME: a deliberate mistake in the raw files, to test quality control with",
}
"""What else goes by a name, and where the name goes."""


def _list_named(what: str) -> None:
    rows: dict[str, Callable[[], list[Sequence[str]]]] = {
        "montages": _montages,
        "arrays": _arrays,
        "implants": _implants,
        "waveforms": _waveforms,
        "scanners": _scanners,
        "faults": _faults,
    }
    print(f"\n{what}  ({NAMED[what]})")
    print(_table(rows[what]()))


def _montages() -> list[Sequence[str]]:
    from fakeimaging.modalities.electro.montages import MONTAGES

    return [("name", "electrodes"), *((name, str(len(MONTAGES[name]))) for name in MONTAGES)]


def _arrays() -> list[Sequence[str]]:
    from fakeimaging.modalities.electro.helmet import ARRAYS, meg_array

    rows: list[Sequence[str]] = [("name", "sensors", "kinds")]
    for name in ARRAYS:
        kinds = meg_array(name).kinds
        counts = (f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        rows.append((name, str(len(kinds)), ", ".join(counts)))
    return rows


def _implants() -> list[Sequence[str]]:
    from fakeimaging.modalities.electro.implants import Implant, plans

    def size(device: Implant) -> str:
        return "x".join(map(str, device.shape)) if device.kind == "grid" else str(device.n_contacts)

    def target(device: Implant) -> str:
        return device.target if isinstance(device.target, str) else ", ".join(f"{value:g}" for value in device.target)

    return [
        ("plan", "device", "kind", "contacts", "target"),
        *((name, d.name, d.kind, size(d), target(d)) for name, plan in plans().items() for d in plan),
    ]


def _waveforms() -> list[Sequence[str]]:
    from fakeimaging.activity.stimuli.waveforms import WAVEFORMS

    return [
        ("name", "kind", "parameters (default)"),
        *(
            (name, "ongoing" if form.ongoing else "after each onset", _takes(form.takes))
            for name, form in WAVEFORMS.items()
        ),
    ]


def _scanners() -> list[Sequence[str]]:
    from fakeimaging.modalities.pet.scanners import SCANNERS

    table = SCANNERS.table()
    return [list(table[0]), *(list(row.values()) for row in table)]


def _faults() -> list[Sequence[str]]:
    from fakeimaging.modalities.pet.faults import FAULTS

    return [
        ("name", "what is wrong", "the official validator says"),
        *((name, fault.what, ", ".join(fault.codes) or "nothing") for name, fault in FAULTS.items()),
    ]


def _takes(parameters: Mapping[str, object]) -> str:
    return ", ".join(name if value is None else f"{name} ({value})" for name, value in parameters.items())


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Return a table that fits the terminal; one row a line where a program reads it."""
    if not sys.stdout.isatty():
        return aligned(rows, indent="  ")
    return folded(rows, shutil.get_terminal_size().columns, indent="  ")


def _stages(modality: Modality) -> str:
    return f"; stages: {', '.join(stage.name for stage in modality.observe)}"
