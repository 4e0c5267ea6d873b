"""Tracers as data: one table each in ``data/tracers.toml``, or in a file of one's own; every number has a unit and a source."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from pydantic import model_validator

from fakeimaging.core.errors import InputError, ParameterError, UnknownNameError, did_you_mean
from fakeimaging.core.parameters import Parameters
from fakeimaging.modalities.pet.shelf import Shelf
from fakeimaging.modalities.pet.tracer_table import (
    BEYOND,
    NEEDED_BY_DRIVE,
    NEEDED_BY_MODEL,
    RIVALS,
    SIGHT,
    UNITS,
    Drive,
    Framing,
    Input,
    Method,
    Model,
    Numbers,
    Quantity,
    Variation,
    Window,
    half_life,
    half_lives,
    problem_of,
    problems_of_kind,
)

__all__ = ["BEYOND", "MINUTE", "SIGHT", "TRACERS", "Tracer", "half_life", "half_lives"]

MINUTE = 60.0
SAME_HALF_LIFE = 0.01
"""Relative difference within which a half-life is that of its nuclide."""
NETWORK = "network:"
"""Before the name of a network, when the cortex of that network is the reference region."""


class Tracer(Parameters):
    """A tracer: what it is, its plasma curve, its kinetics by kind of tissue, and what changes them.

    Parameters
    ----------
    title, tracer_name, label, radionuclide : str
        What it is, its name in PET-BIDS, its ``trc-`` entity (letters and digits), its nuclide (one of ``data/nuclides.toml``).
    binds, driven_by : str
        What holds it in tissue and what changes that, in words.
    target : str, optional
        The system of a subject's densities that it binds: ``"D2"``, ``"SERT"``, ``"SV2A"``, ``"amyloid"`` ...
    model : {"trapping", "reference", "compartments", "flow"}
        How ``constants`` and ``kinds`` are read; see `constants`.
    drive : {"metabolism", "flow", "release", "synapses", "pathology", "none"}
        What of a subject or a run changes it; see `drives`.
    reference : str
        Where nothing binds: a kind of region, ``"brainstem"``, ``"white"``, or ``"network:NAME"`` (the cortex of a network).
    methods : tuple of str
        Analyses in use, the first the usual one.
    half_life : Quantity
        s.
    injected_activity, injected_mass, molecular_weight : Quantity
        MBq, ug, g/mol.
    frames : Framing
        Numbers of frames and their lengths in s.
    late_window : Window, optional
        Minutes after injection of the late ratio (SUVR).
    parent_fraction : Numbers
        a, b, c of Hill's 1 - (1 - a) t^b / (c + t^b), t in min: the share of plasma that is still the tracer.
    whole_blood : Quantity
        Activity of whole blood over that of plasma.
    input : Input
        Unchanged tracer in plasma.
    constants : dict of str to Quantity
        What holds of the tracer as a whole, and of each kind that says nothing else.
    variation : Variation
        Differences between subjects and regions.
    kinds : dict of str to dict of str to Quantity
        What holds of each kind of tissue, `BEYOND` included.
    """

    title: str
    label: str
    tracer_name: str
    radionuclide: str
    binds: str
    driven_by: str
    target: str | None = None
    model: Model
    drive: Drive
    reference: str = "cerebellum"
    methods: tuple[Method, ...] = ()
    half_life: Quantity
    injected_activity: Quantity
    injected_mass: Quantity | None = None
    molecular_weight: Quantity | None = None
    frames: Framing
    late_window: Window | None = None
    parent_fraction: Numbers
    whole_blood: Quantity
    input: Input
    constants: dict[str, Quantity]
    variation: Variation
    kinds: dict[str, dict[str, Quantity]]

    @model_validator(mode="after")
    def _says_what_its_model_needs(self) -> Self:
        needed = NEEDED_BY_MODEL[self.model] + NEEDED_BY_DRIVE[self.drive]
        if lacking := [name for name in needed if name not in self.constants]:
            raise ValueError(
                f"`constants`: a tracer of model '{self.model}' and drive '{self.drive}' needs {', '.join(lacking)}"
            )
        if missing := [kind for kind in BEYOND if kind not in self.kinds]:
            raise ValueError(f"`kinds`: there is nothing about {', '.join(missing)}")
        found = (problems_of_kind(self.model, kind, of, self.constants) for kind, of in self.kinds.items())
        if problems := [problem for each in found for problem in each]:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _is_of_known_words(self) -> Self:
        if not self.label.isalnum() or not self.label.isascii():
            raise ValueError(f"`label`: {self.label!r} is not letters and digits, as BIDS wants them")
        if len(self.parent_fraction.value) != 3:
            raise ValueError("`parent_fraction` is three numbers")
        if self.reference_kind not in self.kinds:
            raise ValueError(
                f"`reference`: '{self.reference}' is neither one of its kinds nor {NETWORK}NAME"
                f"{did_you_mean(self.reference, self.kinds)}"
            )
        return self

    @model_validator(mode="after")
    def _numbers_are_of_their_units(self) -> Self:
        named = [(name, getattr(self, name)) for name in UNITS if name in type(self).model_fields]
        named += [(name, getattr(self.input, name)) for name in UNITS if name in Input.model_fields]
        named += [(name, getattr(self.variation, name)) for name in ("between", "within")]
        named += [*self.constants.items(), *(pair for numbers in self.kinds.values() for pair in numbers.items())]
        found = [problem_of(name, number.unit, _values(number.value)) for name, number in named if number is not None]
        if problems := list(dict.fromkeys(filter(None, found))):
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _decays_as_its_nuclide(self) -> Self:
        try:
            known = half_life(self.radionuclide)
        except UnknownNameError as error:
            raise ValueError(f"`radionuclide`: {error}") from None
        if not abs(self.half_life.value / known - 1) <= SAME_HALF_LIFE:
            raise ValueError(f"`half_life`: {self.half_life.value:g} s is not that of {self.radionuclide}, {known:g} s")
        return self

    @property
    def decay(self) -> float:
        """Decay constant in 1/min."""
        return float(np.log(2) / self.half_life.value * MINUTE)

    @property
    def molar_activity(self) -> float | None:
        """Activity over amount in GBq/umol; None where mass or molecular weight is not known."""
        if self.injected_mass is None or self.molecular_weight is None:
            return None
        return self.injected_activity.value / 1e3 / (self.injected_mass.value / self.molecular_weight.value)

    @property
    def reference_kind(self) -> str:
        """Kind of tissue of the reference region."""
        return "cortex" if self.reference.startswith(NETWORK) else self.reference

    @property
    def reference_selector(self) -> str | None:
        """The reference region as `structure.selection` has it; None where it lies beyond all regions."""
        if self.reference in BEYOND:
            return None
        return self.reference if self.reference.startswith(NETWORK) else f"kind:{self.reference}"

    def constant(self, name: str) -> float:
        """Return a constant of the tracer as a whole."""
        return self.constants[name].value

    def of_kind(self, kind: str, name: str, default: float | None = None) -> float:
        """Return a number of one kind of tissue, or else the tracer's own, or else ``default``.

        Raises
        ------
        InputError
            If the tracer says nothing about this kind.
        """
        if kind not in self.kinds:
            raise InputError(
                f"the tracer {self.tracer_name} says nothing about the kind of region '{kind}'"
                f"{did_you_mean(kind, self.kinds)}",
                value=kind,
            )
        found = self.kinds[kind].get(name) or self.constants.get(name)
        if found is None and default is None:
            raise InputError(f"the tracer {self.tracer_name} has no {name} of '{kind}'", value=name)
        return found.value if found is not None else float(default)  # type: ignore[arg-type]


def _values(value: object) -> list[float]:
    """Return all numbers of a quantity, a window or a framing."""
    return np.asarray(value, dtype=float).ravel().tolist()


def _row(name: str, tracer: Tracer) -> dict[str, str]:
    """Return what it is, what it maps, its usual scan, reference and analyses, what it binds and what drives it."""
    return {
        "name": name,
        "tracer": tracer.title,
        "half_life": f"{tracer.half_life.value / MINUTE:.1f} min",
        "maps": SIGHT[tracer.drive].replace("connectivity", "wiring"),
        "scan": f"{sum(tracer.frames.durations) / MINUTE:g} min",
        "reference": tracer.reference,
        "methods": ", ".join(tracer.methods),
        "binds": tracer.binds,
        "driven_by": tracer.driven_by,
    }


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``changes``, table by table; a number is replaced with its unit and source, a rival of it falls away."""
    ousted = {other for pair in RIVALS for one, other in (pair, pair[::-1]) if one in changes and other not in changes}
    result = {key: value for key, value in base.items() if key not in ousted}
    for key, value in changes.items():
        deeper = isinstance(value, dict) and isinstance(base.get(key), dict) and "value" not in value
        result[key] = _merged(base[key], value) if deeper else value
    return result


def _like(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tracer's table with changes; a kind that is a slip of the pen from one it has would change nothing, and is refused."""
    own, known = changes.get("kinds"), list(base["kinds"])
    for kind in own if isinstance(own, dict) else ():
        near = difflib.get_close_matches(str(kind).casefold(), known, n=1, cutoff=0.9)
        if kind not in known and near:
            raise ParameterError([f"`kinds.{kind}`: no kind of region is called so; did you mean '{near[0]}'?"])
    return _merged(base, changes)


TRACERS = Shelf("tracer", "tracers.toml", Tracer, _row, _like)
"""Tracers by name."""
