"""The phantom: a small 4-D image with labels, events and all that is true of it, ready for nilearn.

S(x, t) = rest(x) + grey(x) S_grey c_r(t) / 100 + noise,  c_r the percent change of region r (task and spontaneous signal)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.stimuli.condition import Event
from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import apply_affine
from fakeimaging.core.streams import Streams, fresh_seed
from fakeimaging.modalities.phantom import events as designs
from fakeimaging.modalities.phantom import terms
from fakeimaging.modalities.phantom.connectivity import fluctuations, network_correlation
from fakeimaging.modalities.phantom.head import Head, Image, make_head
from fakeimaging.modalities.phantom.parameters import PhantomParameters
from fakeimaging.modalities.phantom.series import check_off
from fakeimaging.modalities.phantom.volumes import make_noise
from fakeimaging.structure.connectome import Connectome

if TYPE_CHECKING:
    import nibabel as nib
    import pandas as pd

Array = npt.NDArray[np.float64]

EFFECT = 2.0
"""%, signal change of the regions that a condition activates where ``effects`` says nothing."""
BLOCK = 16.0
"""s, length of the blocks of the default task and of the rest between them."""
CONDITIONS = ("face", "house")


@dataclass(frozen=True, eq=False, repr=False)
class PhantomTruth:
    """What is true of a phantom.

    Parameters
    ----------
    conditions : tuple of str
    regressors : ndarray, shape (n_conditions, n_volumes)
        What each condition is expected to do; a long block reaches 1.
    effects : ndarray, shape (n_conditions, n_regions)
        Percent signal change of grey matter.
    activation : mapping of str to image
        Of each condition: percent signal change of each voxel, less where it holds other tissue too.
    clean : image
        Without noise, 4-D.
    terms : mapping of str to image
        Each part of the noise, 4-D; ``clean`` and they sum to the image.
    regional : ndarray, shape (n_regions, n_volumes)
        Percent signal change of grey matter, task and spontaneous signal.
    connectivity : ndarray, shape (n_regions, n_regions)
        Correlation of the spontaneous signals, as it is in expectation.
    """

    conditions: tuple[str, ...]
    regressors: Array
    effects: Array
    activation: Mapping[str, nib.Nifti1Image]
    clean: nib.Nifti1Image
    terms: Mapping[str, nib.Nifti1Image]
    regional: Array
    connectivity: Array

    def __repr__(self) -> str:
        size = f"{len(self.regional)} regions, {self.regional.shape[1]} volumes"
        made_of = ", ".join(("clean", *self.terms))
        return f"PhantomTruth({size}: {made_of}; conditions {', '.join(self.conditions) or 'none'})"


@dataclass(frozen=True, eq=False, repr=False)
class Phantom:
    """A 4-D image of the phantom, what an analysis needs beside it, and its truth.

    Parameters
    ----------
    image : nibabel.Nifti1Image, 4-D, float32
    labels : nibabel.Nifti1Image, int16
        1 to n_regions in voxels that are mostly grey matter.
    mask : nibabel.Nifti1Image, uint8
        Voxels that are mostly brain.
    grey : nibabel.Nifti1Image, float32
        Share of grey matter.
    truth : PhantomTruth
    parameters : PhantomParameters
    seed : int
    """

    image: nib.Nifti1Image
    labels: nib.Nifti1Image
    mask: nib.Nifti1Image
    grey: nib.Nifti1Image
    truth: PhantomTruth
    parameters: PhantomParameters
    seed: int
    _events: tuple[Event, ...] = field(default=(), repr=False)

    def __repr__(self) -> str:
        p, size = self.parameters, f"image {self.image.shape}, TR {self.parameters.tr:g} s, seed {self.seed}"
        return f"Phantom({size}: {p.n_regions} regions, conditions {', '.join(self.truth.conditions) or 'none'})"

    @property
    def events(self) -> pd.DataFrame:
        """The events as nilearn takes them."""
        return designs.table(self._events)

    @property
    def regions(self) -> pd.DataFrame:
        """Index, name and centroid (mm) of each region: ``lut`` of nilearn's NiftiLabelsMasker."""
        import pandas as pd

        labels = np.asarray(self.labels.dataobj)
        index = range(1, self.parameters.n_regions + 1)
        places = [apply_affine(self.labels.affine, np.argwhere(labels == i)).mean(axis=0) for i in index]
        rows = [[i, f"region {i}", *np.round(place, 1)] for i, place in zip(index, places, strict=True)]
        return pd.DataFrame(rows, columns=["index", "name", "x", "y", "z"])


def phantom(
    *,
    events: designs.Events | None = None,
    effects: designs.Effects = None,
    connectivity: npt.ArrayLike | Connectome | None = None,
    off: str | Iterable[str] = (),
    seed: int | None = None,
    **parameters: Any,
) -> Phantom:
    """Make a small fMRI image without anatomy of anyone: offline, in about a second, with all that is true of it.

    Parameters
    ----------
    events : pandas.DataFrame, mapping of columns, iterable of (onset, duration, trial_type[, modulation]), or path, optional
        Times in s; a path is that of a BIDS table. By default blocks of "face" and "house"; an empty list is rest.
    effects : float or mapping of str to float or array_like (n_regions,), optional
        Percent signal change of each condition (of the plateau of a long block). By default 2 % in a share of the regions that
        belongs to each condition alone.
    connectivity : array_like, shape (n_regions, n_regions), or Connectome, optional
        Correlation of spontaneous signals; a connectome drives a linear network instead. By default `network_correlation`.
    off : str or iterable of str
        Noise to leave out, names of `TERMS`; the rest keeps its bits.
    seed : int, optional
        Drawn and kept in the result when left out.
    **parameters
        Of `PhantomParameters`, such as ``tr=0.8, n_regions=20, voxel_size=4.0, shape=(48, 56, 40)``.

    Returns
    -------
    Phantom

    Raises
    ------
    ParameterError, InputError, UnknownNameError
        If a parameter, event, effect, matrix or name is not allowed.

    Examples
    --------
    >>> made = phantom(seed=1)
    >>> made.image.shape, made.truth.conditions, made.truth.effects[0]
    ((24, 28, 20, 120), ('face', 'house'), array([2., 2., 0., 0., 0., 0., 0., 0.]))
    >>> made.events.head(2)
       onset  duration trial_type
    0   16.0      16.0       face
    1   48.0      16.0      house
    """
    p = PhantomParameters.parse(parameters)
    seed = fresh_seed() if seed is None else seed
    wanted = _blocks(p) if events is None else designs.events_in(events)
    designs.check_room(wanted, p.n_volumes * p.tr)
    streams, left_out = Streams(seed).at("phantom"), check_off(off)
    return _made(p, wanted, effects, connectivity, left_out, streams, seed)


def null_runs(n: int, *, off: str | Iterable[str] = (), seed: int, **parameters: Any) -> Iterator[Phantom]:
    """Make runs of ``n`` subjects in whom nothing happens: noise alone, one subject in memory at a time.

    Parameters
    ----------
    n : int
    off : str or iterable of str
        Noise to leave out, names of `TERMS`.
    seed : int
        A subject's noise does not depend on how many there are.
    **parameters
        Of `PhantomParameters`, such as ``correlation={"a": 0.5, "b": 5.0, "c": 12.0}``.

    Yields
    ------
    Phantom
        Any design fitted to it finds false positives alone.

    Examples
    --------
    >>> runs = null_runs(2, seed=1, n_volumes=20, shape=(12, 14, 10), voxel_size=16.0)
    >>> [run.image.shape for run in runs]
    [(12, 14, 10, 20), (12, 14, 10, 20)]
    """
    p = PhantomParameters.parse({"fluctuation_percent": 0.0, **parameters})
    if n < 1:
        raise InputError(f"`n`: {n} subjects; at least 1 is wanted", value=n)
    left_out, root = check_off(off), Streams(seed).at("null")
    return (_made(p, (), None, None, left_out, root.at(f"sub-{i + 1}"), seed) for i in range(n))


def _blocks(p: PhantomParameters) -> tuple[Event, ...]:
    """Blocks of the conditions by turns, each after as much rest."""
    n = int(p.n_volumes * p.tr / (2 * BLOCK))
    return tuple(Event((2 * i + 1) * BLOCK, BLOCK, CONDITIONS[i % len(CONDITIONS)]) for i in range(n))


def _own_regions(conditions: tuple[str, ...], n: int) -> dict[str, Array]:
    """`EFFECT` in the regions that belong to a condition alone: half of them for all, split evenly, at least one each."""
    size = max(1, n // (2 * len(conditions))) if conditions else 0
    index = np.arange(n)
    return {name: EFFECT * ((index // size) % n == k).astype(float) for k, name in enumerate(conditions)}


def _made(
    p: PhantomParameters,
    wanted: tuple[Event, ...],
    effects: designs.Effects,
    connectivity: npt.ArrayLike | Connectome | None,
    left_out: frozenset[str],
    streams: Streams,
    seed: int,
) -> Phantom:
    head, conditions = make_head(p), designs.conditions_of(wanted)
    courses = designs.regressors(wanted, p.response, terms.seen_times(p))
    asked = _own_regions(conditions, p.n_regions) if effects is None else effects
    size = designs.read_effects(asked, conditions, p.n_regions, EFFECT)
    links = network_correlation(p.n_regions) if connectivity is None else connectivity
    spontaneous, correlation = fluctuations(links, p.n_regions, p, rng=streams.at("fluctuations").rng())
    regional = size.T @ courses + spontaneous
    clean = _clean(head, regional, p)
    noise = make_noise(clean, head, p, left_out, streams)
    truth = PhantomTruth(
        conditions, frozen(courses), frozen(size),
        MappingProxyType({name: _image(_map(head, size[c]), head) for c, name in enumerate(conditions)}),
        _series(clean, head, p), MappingProxyType({name: _series(term, head, p) for name, term in noise.items()}),
        frozen(regional), frozen(correlation),
    )  # fmt: skip
    observed = clean + sum(noise.values())
    return Phantom(
        _series(observed, head, p), _image(head.labels, head), _image(head.brain.astype(np.uint8), head),
        _image(head.grey, head), truth, p, seed, wanted,
    )  # fmt: skip


def _clean(head: Head, regional: Array, p: PhantomParameters) -> Image:
    """Image without noise, shape (n_volumes, nx, ny, nz)."""
    volumes = np.repeat(np.float32(p.baseline) * head.rest[None], p.n_volumes, axis=0)
    inside = head.labels > 0
    change = np.float32(p.baseline / 100) * regional.astype(np.float32)[head.labels[inside] - 1]
    volumes[:, inside] += (head.grey[inside][:, None] * change).T
    return volumes


def _map(head: Head, size: Array) -> Image:
    """Percent signal change of each voxel."""
    percent = np.zeros(head.labels.shape, dtype=np.float32)
    inside = head.labels > 0
    percent[inside] = size[head.labels[inside] - 1] * head.grey[inside] / head.rest[inside]
    return percent


def _image(array: npt.NDArray, head: Head) -> nib.Nifti1Image:
    import nibabel as nib

    image = nib.Nifti1Image(array, head.affine)
    image.header.set_xyzt_units("mm", "sec")
    return image


def _series(volumes: Image, head: Head, p: PhantomParameters) -> nib.Nifti1Image:
    image = _image(np.moveaxis(volumes, 0, -1), head)
    image.header.set_zooms((*image.header.get_zooms()[:3], p.tr))
    return image
