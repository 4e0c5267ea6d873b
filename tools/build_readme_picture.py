"""Draw docs/overview.png from a dataset that the README's first command wrote: python tools/build_readme_picture.py my-dataset"""

from __future__ import annotations

import sys
from pathlib import Path

import fakeimaging as fi
from fakeimaging.plotting import plot_overview


def main(folder: str) -> None:
    """Read the first subject back and draw it."""
    dataset = fi.load(folder)
    label = dataset.subjects[0]
    t1w, bold = dataset.recording(label, "t1w"), dataset.recording(label, "bold")
    figure = plot_overview(dataset.subject(label), t1w, bold)
    figure.savefig(Path(__file__).parents[1] / "docs" / "overview.png", dpi=110)


if __name__ == "__main__":
    main(sys.argv[1])
