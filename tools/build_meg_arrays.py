"""Build `meg_arrays.npz`: coils of the MEG systems whose canonical arrays MNE-Python ships.

Of each array: names, BIDS kinds, numbers of the coil types and ``loc`` as mne has it (middle and three axes of each coil in the
helmet's own coordinates, m). Of each coil type: the points of mne's "accurate" description in the coil's own coordinates (mm), and
what each adds along which direction (per m for planar gradiometers). Needs mne; takes a second.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import mne
import numpy as np
import numpy.typing as npt

from fakeimaging.core.files import writing

DATA = Path(__file__).parents[1] / "fakeimaging" / "data"
SYSTEMS = {"neuromag306": "neuromag", "ctf151": "ctf151", "ctf275": "ctf275"}
"""Our name of each array, and mne's."""
KINDS = {3012: "MEGGRADPLANAR", 3024: "MEGMAG", 5001: "MEGGRADAXIAL"}
"""BIDS type of channel of each coil type of mne."""
MILLI = 1e-3


def main() -> None:
    """Read the arrays from mne and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DATA)
    path = parser.parse_args().out / "meg_arrays.npz"
    stored: dict[str, npt.NDArray[Any]] = {}
    for ours, theirs in SYSTEMS.items():
        info = mne.channels.read_meg_canonical_info(theirs)
        stored |= {f"{ours}_{key}": value for key, value in array(info).items()} | coils(info)
    with writing(path) as file:
        np.savez_compressed(file, **stored)
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


def array(info: Any) -> dict[str, npt.NDArray[Any]]:
    """Return names, kinds, coil types and places of an array's coils."""
    types = [int(channel["coil_type"]) for channel in info["chs"]]
    return {
        "names": np.array(info["ch_names"]),
        "kinds": np.array([KINDS[coil] for coil in types]),
        "coils": np.array(types),
        "loc": np.array([channel["loc"] for channel in info["chs"]], dtype=np.float64),
    }


def coils(info: Any) -> dict[str, npt.NDArray[Any]]:
    """Return points and weighted directions of each coil type of an array, in the coil's own coordinates."""
    from mne.forward._make_forward import _create_meg_coils

    found = {}
    for coil in _create_meg_coils(info["chs"], "accurate"):
        found[f"coil_{coil['type']}_points"] = coil["rmag_orig"] / MILLI
        found[f"coil_{coil['type']}_directions"] = coil["cosmag_orig"] * coil["w"][:, None]
    return found


if __name__ == "__main__":
    main()
