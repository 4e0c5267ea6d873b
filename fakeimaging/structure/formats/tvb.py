"""The zip files of The Virtual Brain: weights.txt, tract_lengths.txt and centres.txt, and more about each region.

``weights[i, j]`` is the tract from region j to region i there too (Sanz Leon et al. 2013, doi:10.3389/fninf.2013.00010).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.structure.connectome import Connectome
from fakeimaging.structure.formats.parts import Parts
from fakeimaging.structure.parcellation import Region

LARGEST = 200_000_000
"""Bytes that one file of the zip may have (a matrix of 2000 regions has about 80 million)."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


def read_tvb(path: Path) -> Parts:
    """Read a zip of The Virtual Brain; only ``weights.txt`` must be there."""
    try:
        with zipfile.ZipFile(path) as packed:
            files = {_stem(entry): entry for entry in packed.infolist() if not entry.is_dir()}
            if "weights" not in files:
                raise InputError(f"it holds no weights.txt; it holds {', '.join(sorted(files)) or 'nothing'}")
            texts = {name: _text(packed, entry) for name, entry in files.items() if name in _WANTED}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise InputError(f"it is no zip file that can be read ({error})") from None
    names, centres = _centres(next((texts[name] for name in _CENTRES if name in texts), None))
    lengths = _matrix("tract_lengths", texts["tract_lengths"]) if "tract_lengths" in texts else None
    return Parts(_matrix("weights", texts["weights"]), lengths, names, centres)


_CENTRES = ("centres", "centers", "position", "positions")
_WANTED = {"weights", "tract_lengths", *_CENTRES}


def _stem(entry: zipfile.ZipInfo) -> str:
    return PurePosixPath(entry.filename).stem.lower()


def _text(packed: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
    if entry.file_size > LARGEST:
        raise InputError(f"{entry.filename} is {entry.file_size / 1e6:.0f} MB large")
    return packed.read(entry).decode("utf-8-sig")


def _matrix(name: str, text: str) -> npt.NDArray[np.float64]:
    try:
        return np.atleast_2d(np.loadtxt(io.StringIO(text.replace(",", " "))))
    except ValueError as error:
        raise InputError(f"{name}.txt: {str(error).splitlines()[0]}") from None


def _centres(text: str | None) -> tuple[tuple[str, ...] | None, npt.NDArray[np.float64] | None]:
    if text is None:
        return None, None
    rows = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        names = tuple(" ".join(row[:-3]) for row in rows)
        centres = np.array([[float(cell) for cell in row[-3:]] for row in rows])
    except ValueError:
        raise InputError("centres.txt: each line is a name and three numbers") from None
    return (names if all(names) else None), centres


def tvb_bytes(connectome: Connectome, regions: Sequence[Region] | None = None) -> bytes:
    """Return a connectome as the bytes of a zip of The Virtual Brain (stored, without time stamps)."""
    files = {"weights.txt": _lines(connectome.weights), "tract_lengths.txt": _lines(connectome.tract_lengths)}
    names, centres = connectome.names, connectome.centres
    if regions is not None:
        names, centres = tuple(region.name for region in regions), np.array([region.centroid for region in regions])
        files["hemispheres.txt"] = _column([int(region.hemisphere == "R") for region in regions])
        files["cortical.txt"] = _column([int(region.kind == "cortex") for region in regions])
    if centres is not None:
        labels = [name.replace(" ", "_") for name in names or map(str, range(1, connectome.n_regions + 1))]
        rows = zip(labels, centres.tolist(), strict=True)
        files["centres.txt"] = "".join(f"{label} {x!r} {y!r} {z!r}\n" for label, (x, y, z) in rows)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as packed:
        for name in sorted(files):
            packed.writestr(zipfile.ZipInfo(name, _EPOCH), files[name])
    return buffer.getvalue()


def _lines(matrix: npt.NDArray) -> str:
    return "".join(" ".join(repr(value) for value in row) + "\n" for row in matrix.tolist())


def _column(values: list[int]) -> str:
    return "".join(f"{value}\n" for value in values)
