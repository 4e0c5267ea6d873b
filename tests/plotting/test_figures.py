import numpy as np
import pytest
from fakeimaging.plotting.figures import draw_slice

import fakeimaging as fi
from fakeimaging import plotting
from fakeimaging.testing.fixtures import short_activity, tiny_subject


@pytest.fixture(scope="module")
def scans():
    subject = tiny_subject()
    return (
        subject,
        fi.acquire("t1w", subject, voxel_size=8.0),
        fi.acquire("bold", subject, short_activity(), voxel_size=8.0),
    )


def test_every_figure_draws_something(scans, tmp_path):
    subject, t1w, bold = scans
    matrix = np.corrcoef(bold.truth["regional_bold"])
    figures = [
        plotting.plot_connectome(subject),
        plotting.plot_slices(bold.observed, volume=3),
        plotting.plot_series(bold, [0, 1]),
        plotting.plot_connectivity(matrix, matrix),
        plotting.plot_overview(subject, t1w, bold),
    ]
    for number, figure in enumerate(figures):
        figure.savefig(tmp_path / f"{number}.png")
        assert all(axes.has_data() for axes in figure.axes)
        assert (tmp_path / f"{number}.png").stat().st_size > 3000


def test_a_slice_shows_left_on_the_left_and_front_at_the_top(scans):
    volume = np.zeros((9, 11, 7))
    volume[1, 9, 3] = 1.0
    figure = plotting.plot_connectivity(np.eye(3), np.eye(3))
    axes = figure.axes[0]
    axes.clear()
    draw_slice(axes, volume, 2)
    shown = axes.images[0]
    assert shown.origin == "lower"
    assert np.argwhere(shown.get_array() == 1.0).tolist() == [[9, 1]]
