"""Build the small inputs in data/: one connectome of 24 regions in each format, and its atlas. Run: python tools/build_example_inputs.py"""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

import fakeimaging as fi
from fakeimaging.core.files import write_tsv, writing
from fakeimaging.core.spaces import centred_grid
from fakeimaging.structure.formats import ENDINGS

DATA = Path(__file__).parents[1] / "data"
N_REGIONS = 24
GRID = centred_grid((60, 74, 60), 3.0, (0.0, -17.0, 5.0))
"""Of the atlas: 3 mm, around the template's brain."""
COLUMNS = ["index", "name", "hemisphere", "network", "kind"]


def main() -> None:
    """Write every file."""
    rule = {"density": 0.3, "asymmetry": 0.2}
    subject = fi.make_subject("example", seed=1, n_regions=N_REGIONS, distance_rule=rule)
    for ending in ENDINGS:
        fi.write_connectome(DATA / f"connectome24{ending}", subject.connectome, regions=subject.regions)
    labels = subject.parcellation.on(GRID, np.eye(4)).astype(np.int16)
    image = nib.Nifti1Image(labels, GRID.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(GRID.affine, code=4)
    with writing(DATA / "atlas24.nii.gz") as file:
        file.write(image.to_bytes())
    rows = [[i + 1, r.name, r.hemisphere, r.network, r.kind] for i, r in enumerate(subject.regions)]
    write_tsv(DATA / "atlas24.tsv", COLUMNS, rows)


if __name__ == "__main__":
    main()
