"""What a subject is made from: every number and file that can be chosen, and what fits together."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from fakeimaging.core.errors import did_you_mean
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.structure.anatomy import Pose
from fakeimaging.structure.atrophy import MOST_LOST
from fakeimaging.structure.condition import diseases
from fakeimaging.structure.connectome import DistanceRule
from fakeimaging.structure.pathology import SEEDS, Pathology
from fakeimaging.structure.receptors import DENSEST, LOADS, SYSTEMS

REGION_COUNTS = {"template": (20, 300), "tiny": (2, 60)}
"""Fewest and most regions of each anatomy."""


class SubjectParameters(Parameters):
    """What a subject is made from."""

    anatomy: Literal["template", "tiny"] = parameter(
        "template", unit="-", description="brain of the MNI template, or an ellipsoid"
    )
    n_regions: int | None = parameter(None, unit="1", bounds=(2, 300), description="number of regions (100; tiny 10)")
    atlas: str | None = parameter(
        None,
        unit="-",
        description="label image of your own in template space (NIfTI), in place of the regions that are grown",
    )
    atlas_table: str | None = parameter(None, unit="-", description="table of its regions: index, name, hemisphere ...")
    connectome: str | None = parameter(
        None,
        unit="-",
        description="wiring of your own (.npy, .csv, .tsv, .txt, .zip of TVB, .graphml), row i is label i + 1",
    )
    tract_lengths: str | None = parameter(None, unit="-", description="its tract lengths in mm, if the file has none")
    signed: bool = parameter(False, unit="-", description="allow negative weights in it")
    lesion: tuple[str, ...] = parameter(
        (),
        unit="-",
        description="regions whose tracts are cut: names, kind:thalamus, network:DefaultMode, hemisphere:L",
    )
    lesion_edges: tuple[tuple[str, str], ...] = parameter(
        (), unit="-", description="pairs of regions between which the tracts are cut, in the same words"
    )
    lesion_share: float = parameter(1.0, unit="1", bounds=(0, 1), description="share of each weight that is lost there")
    age: float | None = parameter(
        None,
        unit="year",
        bounds=(18, 100),
        description="volumes and densities change with it from 30 on; no effect when left out",
    )
    preclinical: bool = parameter(
        False, unit="-", description="whether a person of this age may carry amyloid, as often as healthy people do"
    )
    disease: str | None = parameter(None, unit="-", description="alzheimer, parkinson or huntington (data/ageing.toml)")
    severity: float = parameter(1.0, unit="1", bounds=(0, 1), description="of the disease")
    atrophy: dict[str, float] = parameter(
        {},
        unit="1",
        description="share of grey matter lost, by the words of a lesion: {kind:cortex = 0.1}; beside age and disease",
    )
    densities: dict[str, float | dict[str, float]] = parameter(
        {},
        unit="1",
        description="by system (D2, SV2A, amyloid ...), a factor on a healthy person, or a table of regions; loads are 0 to 1",
    )
    density_table: str | None = parameter(
        None, unit="-", description="densities from a file (.csv, .tsv): a row a region, a column a system"
    )
    pathology: dict[str, Pathology] = parameter(
        {}, unit="-", description="tau and amyloid that spread along the connectome: {tau = {years = 20.0}}"
    )
    pose: Pose = Pose()
    distance_rule: DistanceRule = DistanceRule()

    @field_validator("lesion", mode="before")
    @classmethod
    def _one_word_is_a_list_of_one(cls, lesion: Any) -> Any:
        return (lesion,) if isinstance(lesion, str) else tuple(lesion) if isinstance(lesion, list) else lesion

    @field_validator("disease")
    @classmethod
    def _is_known(cls, disease: str | None) -> str | None:
        if disease is not None and disease not in diseases():
            raise ValueError(f"no disease called '{disease}'{did_you_mean(disease, diseases())}")
        return disease

    @field_validator("atrophy")
    @classmethod
    def _leaves_something(cls, losses: dict[str, float]) -> dict[str, float]:
        for word, loss in losses.items():
            if not 0 <= loss <= MOST_LOST:
                raise ValueError(f"{loss:g} for '{word}' is outside [0, {MOST_LOST}] (share of grey matter lost)")
        return losses

    @field_validator("densities")
    @classmethod
    def _can_be(cls, densities: dict[str, float | dict[str, float]]) -> dict[str, float | dict[str, float]]:
        for name, given in densities.items():
            if name not in SYSTEMS:
                hint = did_you_mean(name, SYSTEMS)
                raise ValueError(f"no system called '{name}'{hint}; others come from a `density_table`")
            most, words = (1.0 if name in LOADS else DENSEST), given if isinstance(given, dict) else {"all": given}
            for word, value in words.items():
                if not 0 <= value <= most:
                    raise ValueError(f"{value:g} of {name} for '{word}' is outside [0, {most:g}]")
        return densities

    @field_validator("pathology")
    @classmethod
    def _spreads(cls, named: dict[str, Pathology]) -> dict[str, Pathology]:
        for name in named:
            if name not in SEEDS:
                raise ValueError(f"no pathology called '{name}'{did_you_mean(name, SEEDS)}")
        return named

    @model_validator(mode="after")
    def _condition_fits_together(self) -> Self:
        if self.severity != 1 and self.disease is None:
            raise ValueError("`severity`: there is no `disease` it belongs to")
        if self.preclinical and self.age is None:
            raise ValueError("`preclinical`: there is no `age` it goes by")
        if twice := set(self.pathology) & set(self.densities):
            raise ValueError(f"`densities`: {min(twice)} is given twice, as a number and as `pathology` that spreads")
        return self

    @model_validator(mode="after")
    def _files_fit_together(self) -> Self:
        if self.atlas is not None and self.n_regions is not None:
            raise ValueError("`n_regions`: the atlas says how many there are; leave it out")
        if self.atlas_table is not None and self.atlas is None:
            raise ValueError("`atlas_table`: there is no `atlas` it belongs to")
        if self.tract_lengths is not None and self.connectome is None:
            raise ValueError("`tract_lengths`: there is no `connectome` they belong to")
        if self.lesion_share != 1 and not self.lesion and not self.lesion_edges:
            raise ValueError("`lesion_share`: there is no `lesion` it belongs to")
        return self

    @model_validator(mode="after")
    def _as_many_regions_as_there_can_be(self) -> Self:
        low, high = REGION_COUNTS[self.anatomy]
        if self.n_regions is not None and not low <= self.n_regions <= high:
            raise ValueError(
                f"`n_regions`: {self.n_regions} is not a number from {low} to {high} ({self.anatomy} anatomy)"
            )
        return self
