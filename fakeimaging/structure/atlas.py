"""An atlas of one's own: a label image in template space (labels 1 to n without gaps), and a table of its regions if there is one.

What the table does not say is derived: hemisphere from the centroid; network and kind from the default regions below each label.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import Grid
from fakeimaging.structure.anatomy import resample
from fakeimaging.structure.formats.parts import naming
from fakeimaging.structure.parcellation import GREY_MATTER, Parcellation, Region, centroids_of, template_parcellation
from fakeimaging.structure.template import SPACE, TissueMaps

MOST_REGIONS = 1000
"""Most labels of an atlas (assumed: the network's cost goes with their square)."""
MOST_VOXELS = 400_000_000
"""Most voxels of an atlas (a whole head at 0.5 mm has about 100 million)."""
MIDLINE = 2.0
"""mm from the midline within which a table may put a centroid on either side (assumed)."""
UNREADABLE_NIFTI = "it is no NIfTI image that can be read"
_COLUMNS = ("name", "hemisphere", "network", "kind")


def read_atlas(path: str | Path, maps: TissueMaps, *, table: str | Path | None = None) -> Parcellation:
    """Read an atlas in the space of the template.

    Parameters
    ----------
    path : path
        NIfTI image of whole-number labels 1 to n without gaps, in millimetres of the template.
    maps : TissueMaps
        Tissue of the template; every label must lie on grey matter somewhere.
    table : path, optional
        TSV or CSV with a column ``index`` (or ``label``) and one or more of ``name``, ``hemisphere`` (L or R), ``network``, ``kind``.

    Returns
    -------
    Parcellation

    Raises
    ------
    InputError
        If image or table cannot be used; the message starts with the name of the file.
    """
    path = Path(path)
    with naming(path):
        labels, grid = _read_labels(path)
        n = _check_labels(labels)
        _check_overlap(labels, grid, maps)
    rows: list[dict[str, str]] = [{} for _ in range(n)]
    if table is not None:
        with naming(Path(table)):
            rows = _read_table(Path(table), n)
    with naming(Path(table) if table is not None else path):
        return Parcellation(maps.space, grid, frozen(labels), _regions(labels, grid, maps, rows))


def _read_labels(path: Path) -> tuple[npt.NDArray[np.uint16], Grid]:
    import nibabel as nib

    try:
        image: Any = nib.load(path)
        if not isinstance(image, nib.spatialimages.SpatialImage):
            raise InputError(f"{UNREADABLE_NIFTI} ({type(image).__name__})")
        shape, stored = tuple(image.shape), image.get_data_dtype()
        if min(shape, default=0) < 1:
            raise InputError(f"{UNREADABLE_NIFTI} (its header says {shape} voxels)")
        if prod(shape) > MOST_VOXELS:
            raise InputError(f"{prod(shape)} voxels are more than the {MOST_VOXELS} an atlas may have")
        array = np.asanyarray(image.dataobj)
    except (nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError, EOFError) as error:
        raise InputError(
            f"{UNREADABLE_NIFTI} ({str(error).splitlines()[0] if str(error) else 'it ends early'})"
        ) from None
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.ndim != 3:
        raise InputError(f"an atlas has three dimensions, not {array.ndim} (shape {shape})")
    if array.dtype.kind not in "iu":
        raise InputError(f"its labels are {stored} with a scale or {array.dtype}; save them as whole numbers (int16)")
    grid = Grid(array.shape, image.affine)
    if array.min() < 0 or array.max() > MOST_REGIONS:
        raise InputError(f"labels from {array.min()} to {array.max()} are outside [0, {MOST_REGIONS}]")
    return array.astype(np.uint16), grid


def _check_labels(labels: npt.NDArray[np.uint16]) -> int:
    """Return the number of regions; raises if a label is left out."""
    present = np.unique(labels[labels > 0])
    n = int(present[-1]) if len(present) else 0
    if n < 2:
        raise InputError(f"it has {len(present)} labels above 0, at least 2 are needed")
    if len(present) < n:
        gaps = sorted(set(range(1, n + 1)) - set(present.tolist()))
        listed = ", ".join(map(str, gaps[:5])) + (" ..." if len(gaps) > 5 else "")
        raise InputError(f"labels are 1 to {n} without gaps, and there is no {listed}")
    return n


def _check_overlap(labels: npt.NDArray[np.uint16], grid: Grid, maps: TissueMaps) -> None:
    grey = resample(maps.grey, maps.grid, grid, np.eye(4), order=1) > GREY_MATTER * 255
    empty = set(np.unique(labels).tolist()) - set(np.unique(labels[grey]).tolist()) - {0}
    if len(empty) == labels.max():
        raise InputError(f"no label lies on grey matter; is it in the space of the template ({maps.space})?")
    if empty:
        listed = ", ".join(map(str, sorted(empty)[:5])) + (" ..." if len(empty) > 5 else "")
        raise InputError(f"no grey matter in region {listed}; leave such labels out")


def _read_table(path: Path, n: int) -> list[dict[str, str]]:
    """Return one row a region, in the order of the labels, with the columns we know."""
    text = path.read_text(encoding="utf-8-sig")
    separator = "\t" if "\t" in text.partition("\n")[0] else ","
    rows = list(csv.DictReader(io.StringIO(text), delimiter=separator))
    head = {str(name).strip().lower(): name for name in (rows[0] if rows else {})}
    index = next((head[name] for name in ("index", "label") if name in head), None)
    if index is None or not set(head) & set(_COLUMNS):
        raise InputError(
            f"a column `index` and one of {', '.join(_COLUMNS)} are needed; there is: {', '.join(head) or 'nothing'}"
        )
    found: dict[int, dict[str, str]] = {}
    for line, row in enumerate(rows, start=2):
        label = _whole(row[index], line)
        if label in found:
            raise InputError(f"line {line}: label {label} is there twice")
        found[label] = {name: (row[head[name]] or "").strip() for name in _COLUMNS if name in head}
    found.pop(0, None)
    if missing := set(range(1, n + 1)) ^ set(found):
        raise InputError(f"the atlas has labels 1 to {n}; label {min(missing)} is not in both")
    return [found[label] for label in range(1, n + 1)]


def _whole(text: str | None, line: int) -> int:
    try:
        return int(text or "")
    except ValueError:
        raise InputError(f"line {line}: {text!r} is no label") from None


def _regions(
    labels: npt.NDArray[np.uint16], grid: Grid, maps: TissueMaps, rows: list[dict[str, str]]
) -> tuple[Region, ...]:
    centroids = centroids_of(labels, grid, len(rows)).tolist()
    volumes = np.bincount(labels.ravel(), minlength=len(rows) + 1)[1:] * abs(np.linalg.det(grid.affine[:3, :3]))
    below = _defaults_below(labels, grid, maps, len(rows))
    regions = []
    for i, (row, centroid, volume) in enumerate(zip(rows, centroids, volumes.tolist(), strict=True)):
        kind, network = below[i]
        side = _side(row.get("hemisphere", ""), centroid[0], i + 1)
        name = row.get("name") or f"{side}_Region_{i + 1:03d}"
        kind = _kind(row.get("kind") or kind, i + 1)
        regions.append(Region(name, side, row.get("network") or network, kind, tuple(centroid), volume))
    if doubled := [name for name, count in Counter(region.name for region in regions).items() if count > 1]:
        raise InputError(f"the name {doubled[0]!r} is there twice")
    return tuple(regions)


def _side(text: str, x: float, label: int) -> str:
    found = "L" if x < 0 else "R"
    said = text[:1].upper()
    if said in {"L", "R"}:
        if said != found and abs(x) > MIDLINE:
            raise InputError(
                f"label {label} is said to lie {said} and has its centre at x = {x:g} mm; are left and right swapped?"
            )
        return said
    if text and text.lower() not in {"n/a", "b", "both", "bilateral", "midline"}:
        raise InputError(f"label {label}: hemisphere {text!r} is neither L nor R")
    return found


def _kind(text: str, label: int) -> str:
    if text not in _kinds():
        raise InputError(f"label {label}: kind {text!r} is none of {', '.join(sorted(_kinds()))}")
    return text


@lru_cache(maxsize=1)
def _kinds() -> frozenset[str]:
    return frozenset(region.kind for region in template_parcellation().regions)


def _defaults_below(labels: npt.NDArray[np.uint16], grid: Grid, maps: TissueMaps, n: int) -> list[tuple[str, str]]:
    """Return kind and network of each region: those of most voxels of the default regions below it."""
    if maps.space != SPACE:
        return [("cortex", "unassigned")] * n
    default = template_parcellation()
    below = resample(default.labels, default.grid, grid, np.eye(4), order=0).astype(np.int64)
    shared = np.bincount(
        labels.ravel().astype(np.int64) * (len(default.regions) + 1) + below.ravel(),
        minlength=(n + 1) * (len(default.regions) + 1),
    ).reshape(n + 1, -1)[1:, 1:]
    return [_kind_and_network(row, default.regions) for row in shared]


def _kind_and_network(counts: npt.NDArray, regions: tuple[Region, ...]) -> tuple[str, str]:
    """Return the kind with the most voxels, and among regions of that kind the network with the most."""
    if not counts.any():
        return "cortex", "unassigned"
    below = [(region, int(count)) for region, count in zip(regions, counts, strict=True)]
    kind = _most((region.kind, count) for region, count in below)
    return kind, _most((region.network, count) for region, count in below if region.kind == kind)


def _most(counted: Iterable[tuple[str, int]]) -> str:
    """Return the word with the largest sum of counts."""
    total: Counter[str] = Counter()
    for word, count in counted:
        total[word] += count
    return total.most_common(1)[0][0]
