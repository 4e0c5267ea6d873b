"""Build the shipped default parcellation: fakeimaging/data/parcellation_dseg.nii.gz and .tsv. Run: python tools/build_parcellation.py"""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from fakeimaging.core.files import write_bytes, write_tsv, writing
from fakeimaging.structure.parcellation import DEFAULT_REGIONS, grow_template_parcellation

DATA = Path(__file__).parents[1] / "fakeimaging" / "data"
COLUMNS = ["index", "name", "hemisphere", "network", "kind", "x", "y", "z", "volume"]


def main() -> None:
    """Grow the regions and write label image and table."""
    parcellation = grow_template_parcellation(DEFAULT_REGIONS)
    image = nib.Nifti1Image(parcellation.labels.astype(np.uint8), parcellation.grid.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(parcellation.grid.affine, code=4)
    with writing(DATA / "parcellation_dseg.nii.gz") as file:
        file.write(image.to_bytes())
    rows = [
        [i + 1, region.name, region.hemisphere, region.network, region.kind, *region.centroid, region.volume]
        for i, region in enumerate(parcellation.regions)
    ]
    write_tsv(DATA / "parcellation_dseg.tsv", COLUMNS, rows)
    write_bytes(
        DATA / "__init__.py", b'"""Tables and images that runs need; README.md says where each comes from."""\n'
    )


if __name__ == "__main__":
    main()
