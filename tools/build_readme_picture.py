"""Draw docs/overview.png from a dataset that the README's first command wrote: python tools/build_readme_picture.py my-dataset"""

from __future__ import annotations

import sys
from pathlib import Path

import fakeimaging as fi
from fakeimaging.plotting import plot_overview

DPI = 150


def main(folder: str) -> None:
    """Draw the first subject."""
    dataset = fi.load(folder)
    figure = plot_overview(dataset, dataset.subjects[0])
    figure.savefig(Path(__file__).parents[1] / "docs" / "overview.png", dpi=DPI, metadata={"Software": None})


if __name__ == "__main__":
    main(sys.argv[1])
