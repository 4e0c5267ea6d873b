import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.plotting import plot_constants
from fakeimaging.plotting.canvas import Volume
from fakeimaging.plotting.pet import CONSTANTS, Curves, frames_shown, late_window, plot_curves, plot_frames, undone_of
from fakeimaging.scoring.kinetics import Timing
from fakeimaging.scoring.pet import opened
from fakeimaging.scoring.pet.analyses import UNITS


def timing(n, start=0.0):
    edges = start + np.arange(n + 1) * 5.0
    return Timing(edges[:-1], edges[1:], 0.006)


def test_frames_that_are_shown_end_with_the_last():
    assert frames_shown(timing(4)) == [0, 1, 2, 3]
    assert frames_shown(timing(1)) == [0]
    many = frames_shown(timing(34))
    assert (len(many), many[-1]) == (8, 33)
    assert np.diff(many).min() > 0


@pytest.mark.parametrize(("start", "window"), [(0.0, (20.0, 60.0)), (80.0, (100.0, 140.0))])
def test_what_is_late_is_counted_from_the_start_of_the_scan(start, window):
    assert late_window(timing(12, start)) == pytest.approx(window)


def test_each_frame_is_drawn_once_for_what_was_seen_and_once_for_the_truth():
    array = np.arange(5 * 6 * 7 * 3.0).reshape(5, 6, 7, 3)
    seen, true = (Volume(factor * array, np.diag([2.0, 2.0, 2.0, 1.0])) for factor in (2.0, 1.0))
    figure = plot_frames(seen, true, timing(3), height=6.0)
    images = [axes.images[0] for axes in figure.axes if axes.images]
    for image, (volume, k) in zip(images[:6], [(v, k) for v in (seen, true) for k in range(3)], strict=True):
        np.testing.assert_array_equal(image.get_array(), volume.array[:, :, 3, k].T)
    assert {image.get_clim() for image in images[:6]} == {images[0].get_clim()}
    assert [axes.get_title() for axes in figure.axes[:3]] == ["0-5 min", "5-10 min", "10-15 min"]


def test_curves_without_blood_have_no_axes_for_it():
    values = np.random.default_rng(0).random((4, 6))
    for blood, n in (({}, 1), ({"whole blood": (np.arange(5.0), np.ones(5))}, 2)):
        figure = plot_curves(Curves(timing(6, 80.0), values, values, ["a", "a", "b", "b"], blood))
        assert len(figure.axes) == n
        assert figure.axes[0].get_xlim()[0] > 60


def test_corrected_constants_are_crosses_beside_the_others():
    truth = np.array([1.0, 2.0, 3.0])
    plain = plot_constants(0.5 * truth, 0.6 * truth, truth, ["a", "a", "b"], "x")
    both = plot_constants(0.5 * truth, 0.6 * truth, truth, ["a", "a", "b"], "x", corrected=truth)
    assert len(both.axes[0].collections) == len(plain.axes[0].collections) + 2
    assert set(CONSTANTS) == set(UNITS)


def test_planes_with_partial_volume_undone_are_nearer_the_truth(every_modality):
    dataset = fi.load(every_modality)
    scan = next(scan for scan in dataset.scans() if scan.stem.endswith("11CRAC"))
    seen = opened(dataset, scan)
    truth = Volume.read(dataset.root / scan.clean).array.mean(axis=3)
    blurred = seen.undo.spread.applied(truth, seen.undo.painted.grid)
    undone = undone_of(blurred, seen)
    assert np.abs(undone - truth).mean() < 0.3 * np.abs(blurred - truth).mean()
