"""Which head makes the field: the shipped boundary elements, concentric spheres, or a forward solution of one's own.

Spheres are the fast, exact option for teaching and for tests: three shells of the boundary elements' conductivities about the
middle of the scalp, and for magnetometers Sarvas' formula about the middle of the inner skull. A head is no sphere: sources
beyond the innermost shell are moved in along their radius. Their topographies differ from the boundary elements' by a relative
difference of 0.13 (median of cortex; 0.09 to 0.23 from 5 to 95 %), their size by a factor of 1.02 (0.85 to 1.25).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import did_you_mean
from fakeimaging.modalities.electro.lead_field import LowRank, electric
from fakeimaging.modalities.electro.magnetic import magnetic_field
from fakeimaging.modalities.electro.montages import Montage
from fakeimaging.modalities.electro.own_forward import read_forward
from fakeimaging.modalities.electro.sarvas import coil_field
from fakeimaging.modalities.electro.sensors import Sensors
from fakeimaging.modalities.electro.sources import Dense, Field
from fakeimaging.modalities.electro.sphere import Shells, fit_sphere, potential, preset_shells, within
from fakeimaging.structure.head import template_head
from fakeimaging.structure.subject import Subject

BEM, SPHERE = "bem", "sphere"
ABOUT_POTENTIALS = {BEM: "mean of the 335 electrodes of the lead field", SPHERE: "mean of the sphere's surface"}
"""What the potentials of each are relative to."""
INWARD = 0.98
"""Share of the innermost shell's radius beyond which sources are moved in (assumed)."""
DOME = -30.0
"""Template mm in z above which a head is nearly round: what spheres are fitted to (assumed)."""


def check_head_model(value: str) -> str:
    """Return the name of a head model.

    Raises
    ------
    ValueError
        If it is neither a known one nor a FIF file.
    """
    if value not in (BEM, SPHERE) and not value.endswith((".fif", ".fif.gz")):
        hint = did_you_mean(value, (BEM, SPHERE))
        raise ValueError(f"no head model '{value}'{hint}; a forward solution of your own ends in -fwd.fif")
    return value


def electric_field(head_model: str, subject: Subject, montage: Montage) -> Field:
    """Return the potentials of every source at electrodes.

    Parameters
    ----------
    head_model : str
        ``"bem"``, ``"sphere"`` or the path of a forward solution.
    subject : Subject
    montage : Montage
    """
    if head_model == BEM:
        return electric().on(montage.points)
    if head_model == SPHERE:
        return _spherical(montage)
    return read_forward(head_model, subject).at(montage.names)


def field_at_coils(head_model: str, subject: Subject, sensors: Sensors) -> Field:
    """Return the magnetic field of every source at the coils of sensors; parameters as in `electric_field`."""
    if head_model not in (BEM, SPHERE):
        return read_forward(head_model, subject).at(sensors.names)
    if head_model == BEM:
        return shipped_at_coils(subject, sensors)
    points, directions = sensors.coils_in(subject.anatomy.to_template)
    centre, radius = inner_sphere()
    space = electric().scalp.space
    inside = within(space.places, centre, INWARD * radius)
    gain = coil_field(centre, points, directions, sensors.owner, inside, space.directions, n_coils=len(sensors.names))
    return Dense(space, gain)


def shipped_at_coils(subject: Subject, sensors: Sensors) -> LowRank:
    """Return the shipped magnetic field at the coils of sensors."""
    points, directions = sensors.coils_in(subject.anatomy.to_template)
    return magnetic_field(points, directions, sensors.owner, len(sensors.names))


@lru_cache(maxsize=1)
def _spherical(montage: Montage) -> Dense:
    shells, space = scalp_shells(), electric().scalp.space
    inside = within(space.places, shells.centre, INWARD * shells.radii[0])
    return Dense(space, potential(shells, montage.points, inside, space.directions))


@lru_cache(maxsize=1)
def scalp_shells() -> Shells:
    """Return the shells about the middle of the template's scalp above the ears, template mm."""
    centre, radius = fit_sphere(_dome("scalp"))
    return preset_shells("bem", radius=radius, centre=centre)


@lru_cache(maxsize=1)
def inner_sphere() -> tuple[npt.NDArray[np.float64], float]:
    """Return middle and radius of the sphere nearest to the template's inner skull above the ears, template mm."""
    return fit_sphere(_dome("inner_skull"))


def _dome(surface: str) -> npt.NDArray[np.float64]:
    vertices = template_head().vertices[surface]  # type: ignore[index]
    return np.asarray(vertices[vertices[:, 2] > DOME])
