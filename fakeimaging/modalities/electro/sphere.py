"""Potential of a current dipole in a head of spherical shells, exact: what a numerical head model is measured against.

Shells of conductivity s_k carry, for each order n, A r^n + B r^-(n+1). At the surface no current leaves, which fixes A : B
there; from shell to shell inwards V and s dV/dr are continuous (Naess et al. 2017). With r the unit vector to the electrode,
e = r0 / R and c the cosine between them, a dipole q inside the innermost shell makes at the surface

    V = 1 / (4 pi s_1 R^2) sum_n g_n |e|^(n-1) [q . r P_n'(c) - q . e / |e| P_(n-1)'(c)],   g_n = (2n + 1) / b_n

b_n is what is left of B in the innermost shell, all powers of radii taken out, for A + B = 2n + 1 at the surface: no term overflows.
One sphere has g_n = (2n + 1) / n and a closed form (Yao 2000, IEEE Trans Biomed Eng 47:964).

Points are in mm, moments in Am, potentials in V. The magnetic field of such a head is in `sarvas`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import InputError, UnknownNameError, did_you_mean
from fakeimaging.modalities.electro.medium import PER_MM2, Array, blocks, columns, positive, unit, vectors

TOLERANCE = 1e-16
"""Share of the potential that the terms left out may have."""
BLOCK = 1 << 13
"""Pairs of electrode and source summed at once: five arrays of them stay in the cache."""
REFERENCES = (Reference("Naess et al.", 2017, "10.3389/fnhum.2017.00490", "potential in spherical shells"),)


@dataclass(frozen=True)
class Shells:
    """Concentric spherical shells.

    Parameters
    ----------
    radii : tuple of float
        Outer radius of each shell in mm, from inside out.
    conductivities : tuple of float
        S/m, from inside out.
    centre : tuple of three floats
        mm.

    Raises
    ------
    InputError
        If there are not as many radii as conductivities, radii do not grow, or a number is not positive and finite.

    Examples
    --------
    >>> Shells((80.0, 85.0, 92.0), (0.3, 0.006, 0.3)).radius
    92.0
    """

    radii: tuple[float, ...]
    conductivities: tuple[float, ...]
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        for name in ("radii", "conductivities", "centre"):
            object.__setattr__(self, name, tuple(float(number) for number in getattr(self, name)))
        if not self.radii or len(self.radii) != len(self.conductivities):
            raise InputError(
                f"each shell has a radius and a conductivity, not {len(self.radii)} and {len(self.conductivities)}",
                value=self.radii,
            )
        steps = np.diff((0.0, *self.radii))
        if not (np.isfinite(steps).all() and (steps > 0).all()):
            raise InputError(f"radii grow from inside out, not {self.radii} mm", value=self.radii)
        for each in self.conductivities:
            positive("a conductivity", each, "S/m")
        vectors("the centre of shells", [self.centre])

    @property
    def radius(self) -> float:
        """Radius of the outermost shell in mm: that of the head."""
        return self.radii[-1]


PRESETS = {
    # Radii: the usual ones of three shells (assumed); conductivities: those of the boundary-element model (mne.make_bem_model).
    "bem": ((0.87, 0.92, 1.0), (0.3, 0.006, 0.3)),
    # The same radii; skull 80 times as resistive as brain (Rush and Driscoll 1969, IEEE Trans Biomed Eng 16:15).
    "rush_driscoll": ((0.87, 0.92, 1.0), (0.33, 0.0042, 0.33)),
    # Brain, fluid, skull, scalp: the default of mne.make_sphere_model.
    "mne": ((0.90, 0.92, 0.97, 1.0), (0.33, 1.0, 0.004, 0.33)),
    # 79, 80, 85 and 90 mm: Naess et al. 2017 (10.3389/fnhum.2017.00490).
    "naess": ((79 / 90, 80 / 90, 85 / 90, 1.0), (0.3, 1.5, 0.015, 0.3)),
}
"""Radii in parts of the head's radius and conductivities in S/m, from inside out."""


def preset_shells(preset: str = "bem", *, radius: float, centre: npt.ArrayLike = (0.0, 0.0, 0.0)) -> Shells:
    """Return the shells of a preset for a head of some radius (mm).

    Raises
    ------
    UnknownNameError
        If there is no such preset.

    Examples
    --------
    >>> preset_shells(radius=100.0).radii
    (87.0, 92.0, 100.0)
    """
    if preset not in PRESETS:
        raise UnknownNameError(f"no spherical head '{preset}'{did_you_mean(preset, PRESETS)}", value=preset)
    parts, conductivities = PRESETS[preset]
    x, y, z = vectors("the centre", np.asarray(centre)[None])[0].tolist()
    return Shells(tuple(radius * part for part in parts), conductivities, (x, y, z))


def fit_sphere(points: npt.ArrayLike) -> tuple[Array, float]:
    """Return centre and radius of the sphere whose surface the points are nearest to, in the points' own unit.

    Parameters
    ----------
    points : array_like, shape (n, 3)
        Of a scalp, or of an inner skull.

    Returns
    -------
    centre : ndarray, shape (3,)
    radius : float

    Raises
    ------
    InputError
        If there are fewer than four points, or all lie in a plane.

    Examples
    --------
    >>> centre, radius = fit_sphere([[3, 0, 0], [-1, 0, 0], [1, 2, 0], [1, 0, 2], [1, -2, 0]])
    >>> centre.round(9).tolist(), round(radius, 9)
    ([1.0, 0.0, 0.0], 2.0)
    """
    from scipy.optimize import least_squares

    found = vectors("points", points)
    mean = found.mean(axis=0) if len(found) else np.zeros(3)
    around = found - mean
    size = np.linalg.svd(around, compute_uv=False) if len(found) > 3 else np.zeros(3)
    if not size[-1] > 1e-6 * size[0]:
        raise InputError("a sphere needs four points that do not lie in a plane", value=len(found))
    # Exact for points on a sphere, and the start for others: |p|^2 = 2 p . c + R^2 - |c|^2.
    start = np.linalg.lstsq(np.c_[2 * around, np.ones(len(found))], (around**2).sum(axis=1), rcond=None)[0][:3]

    def misses(centre: Array) -> Array:
        distance = np.linalg.norm(around - centre, axis=1)
        return np.asarray(distance - distance.mean())

    centre = least_squares(misses, start, xtol=1e-12, ftol=1e-12, gtol=1e-12, x_scale=size[0] / len(found) ** 0.5).x
    return mean + centre, float(np.linalg.norm(around - centre, axis=1).mean())


def within(points: npt.ArrayLike, centre: npt.ArrayLike, radius: float) -> Array:
    """Return points with those beyond ``radius`` mm from a centre moved in along their own radius, shape (n, 3).

    A head is no sphere, and some of the cortex lies outside the brain's; the series and the magnetic formula refuse such sources.

    Examples
    --------
    >>> within([[0, 0, 90], [0, 50, 0]], (0, 0, 10), 70).tolist()
    [[0.0, 0.0, 80.0], [0.0, 50.0, 0.0]]
    """
    middle = np.asarray(centre, dtype=float)
    around = vectors("points", points) - middle
    distance = np.linalg.norm(around, axis=1, keepdims=True)
    return np.asarray(middle + around * (radius / np.maximum(distance, radius)))


def potential(
    shells: Shells, electrodes: npt.ArrayLike, points: npt.ArrayLike, moments: npt.ArrayLike | None = None
) -> Array:
    """Return the potential of dipoles at electrodes on the outermost shell, relative to its mean over that shell.

    Parameters
    ----------
    shells : Shells
    electrodes : array_like, shape (n_electrodes, 3)
        mm; taken to the outermost shell along their radius.
    points : array_like, shape (n_sources, 3)
        Where the dipoles are, mm; inside the innermost shell.
    moments : array_like, shape (n_sources, 3), optional
        Am; unit vectors give V/(Am). Without them each source has three, along x, y and z.

    Returns
    -------
    ndarray, shape (n_electrodes, n_sources) or (n_electrodes, n_sources, 3)
        V.

    Raises
    ------
    InputError
        If a source is not inside the innermost shell, an electrode is at the centre, or an array has another shape.

    Examples
    --------
    10 nAm towards the vertex, 20 mm below the scalp, in microvolts at the vertex and below the head:

    >>> shells = preset_shells(radius=90.0)
    >>> (1e6 * potential(shells, [[0, 0, 90], [0, 0, -90]], [[0, 0, 70]], [[0, 0, 1e-8]])).round(2).tolist()
    [[3.87], [-0.38]]
    """
    outward = unit("electrodes", vectors("electrodes", electrodes) - shells.centre)
    places = (vectors("points", points) - shells.centre) / shells.radius
    directions = columns(moments, len(places))
    eccentricity = np.linalg.norm(places, axis=1)
    _refuse_outside(shells, eccentricity)
    order = np.argsort(eccentricity)
    weights = _weights(shells, _n_terms(eccentricity.max(initial=0.0)) + 1)
    result = np.empty((len(outward), *directions.shape[:2]))
    for part in blocks(len(places), len(outward), BLOCK):
        chosen = order[part]
        n = _n_terms(eccentricity[chosen[-1]])
        result[:, chosen] = _series(weights[: n + 1], outward, places[chosen], directions[chosen])
    result *= PER_MM2 / (4 * np.pi * shells.conductivities[0] * shells.radius**2)
    return result if moments is None else result[..., 0]


def _refuse_outside(shells: Shells, eccentricity: Array) -> None:
    outside = eccentricity >= shells.radii[0] / shells.radius
    if outside.any():
        farthest = float(eccentricity.max() * shells.radius)
        raise InputError(
            f"{outside.sum()} of {len(outside)} sources are not inside the innermost shell of {shells.radii[0]:g} mm "
            f"(the farthest {farthest:.4g} mm from its centre); `within` moves them in",
            value=farthest,
        )


def _n_terms(eccentricity: float) -> int:
    """Return how many terms leave less than `TOLERANCE` out: the n-th is below n^2 |e|^n."""
    if eccentricity < 1e-8:
        return 2
    fall = -math.log(eccentricity)
    first = -math.log(TOLERANCE) / fall
    return math.ceil(first + 2 * math.log(1 + first) / fall) + 2


def _weights(shells: Shells, n_terms: int) -> Array:
    """Return g_n for n = 1 ... n_terms."""
    n = np.arange(1.0, n_terms + 1)
    a, b = n + 1, n.copy()
    for k in range(len(shells.radii) - 2, -1, -1):
        # Down through shell k + 1, r^n falls by x^(2n + 1) against r^-(n+1), then over the border into shell k.
        a = a * (shells.radii[k] / shells.radii[k + 1]) ** (2 * n + 1)
        ratio = shells.conductivities[k + 1] / shells.conductivities[k]
        a, b = (
            ((n + 1 + n * ratio) * a + (n + 1) * (1 - ratio) * b) / (2 * n + 1),
            (n * (1 - ratio) * a + (n + (n + 1) * ratio) * b) / (2 * n + 1),
        )
    return np.asarray((2 * n + 1) / b)


def _series(weights: Array, outward: Array, places: Array, directions: Array) -> Array:
    """Return the sum over n, shape (n_electrodes, n_places, n_directions)."""
    across, square = outward @ places.T, (places**2).sum(axis=1)
    before, here = np.zeros_like(across), np.ones_like(across)
    along, inward, term = weights[0] * here, weights[1] * here, np.empty_like(across)
    for n in range(1, len(weights) - 1):
        # |e|^n P_(n+1)', from n P_(n+1)' = (2n + 1) c P_n' - (n + 1) P_(n-1)'.
        before *= square * (-(n + 1) / n)
        np.multiply(across, here, out=term)
        term *= (2 * n + 1) / n
        before += term
        before, here = here, before
        along += np.multiply(here, weights[n], out=term)
        inward += np.multiply(here, weights[n + 1], out=term)
    pointing = np.einsum("ek,sdk->esd", outward, directions)
    return np.asarray(along[..., None] * pointing - inward[..., None] * np.einsum("sk,sdk->sd", places, directions))


def homogeneous_potential(
    ball: Shells, places: npt.ArrayLike, points: npt.ArrayLike, moments: npt.ArrayLike | None = None
) -> Array:
    """Return the potential of dipoles anywhere in one sphere, in closed form: q . grad N / (4 pi s), N the sphere's Neumann function.

    N = 1 / d + 1 / d' - ln((R^2 - r . r0 + R d') / (2 R^2)) / R,   d = |r - r0|,   d'^2 = R^2 - 2 r . r0 + r^2 r0^2 / R^2

    Parameters
    ----------
    ball : Shells
        A single one.
    places : array_like, shape (n_places, 3)
        mm; inside or on the sphere, and not at a source.
    points, moments
        As in `potential`.

    Returns
    -------
    ndarray, shape (n_places, n_sources) or (n_places, n_sources, 3)
        V; its mean over the surface is 0.

    Raises
    ------
    InputError
        If there is more than one shell, a source is not inside or a place is outside.
    """
    if len(ball.radii) != 1:
        raise InputError(f"a closed form has one shell, not {len(ball.radii)}", value=len(ball.radii))
    r = (vectors("places", places) - ball.centre) / ball.radius
    sources = (vectors("points", points) - ball.centre) / ball.radius
    directions = columns(moments, len(sources))
    _refuse_outside(ball, np.linalg.norm(sources, axis=1))
    if (np.linalg.norm(r, axis=1) > 1 + 1e-9).any():
        raise InputError("a place is outside the sphere, where the closed form does not hold", value=places)
    result = np.empty((len(r), *directions.shape[:2]))
    for part in blocks(len(sources), len(r)):
        result[:, part] = np.einsum("psk,sdk->psd", _neumann_gradient(r, sources[part]), directions[part])
    result *= PER_MM2 / (4 * np.pi * ball.conductivities[0] * ball.radius**2)
    return result if moments is None else result[..., 0]


def _neumann_gradient(r: Array, sources: Array) -> Array:
    """Return grad N with respect to the source in a sphere of radius 1, shape (n_places, n_sources, 3)."""
    square = (r**2).sum(axis=1)[:, None, None]
    away = r[:, None] - sources
    mirrored = r[:, None] - square * sources
    dot = (r @ sources.T)[..., None]
    d = np.sqrt((away**2).sum(axis=2, keepdims=True))
    image = np.sqrt(1 - 2 * dot + square * (sources**2).sum(axis=1)[:, None])
    return np.asarray(away / d**3 + mirrored / image**3 + (r[:, None] + mirrored / image) / (1 - dot + image))
