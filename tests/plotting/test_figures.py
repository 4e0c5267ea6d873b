from dataclasses import replace

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging import plotting
from fakeimaging.plotting.bold import _blocks
from fakeimaging.plotting.canvas import blank, styled
from fakeimaging.plotting.connectivity import by_network
from fakeimaging.plotting.eeg import Eeg
from fakeimaging.plotting.overview import plot_overview
from fakeimaging.plotting.pet import late_mean
from fakeimaging.plotting.topography import draw_topography, flattened
from fakeimaging.plotting.traces import _round
from fakeimaging.plotting.volumes import draw_plane
from fakeimaging.testing.fixtures import short_activity, tiny_subject

DIAGONAL = np.diag([2.0, 2.0, 2.0, 1.0])


@pytest.fixture(scope="module")
def bold():
    return fi.acquire("bold", tiny_subject(), short_activity(), voxel_size=8.0)


def test_figures_of_objects_in_memory_draw_something(bold, tmp_path):
    subject = tiny_subject()
    matrix = np.corrcoef(bold.truth["regional_bold"])
    figures = [
        plotting.plot_connectome(subject),
        plotting.plot_weights(subject),
        plotting.plot_slices(bold.observed, volume=3),
        plotting.plot_series(bold, [0, 1]),
        plotting.plot_connectivity(matrix, matrix, subject.regions),
        plotting.plot_physiology(short_activity().physiology),
    ]
    for number, figure in enumerate(figures):
        figure.savefig(tmp_path / f"{number}.png")
        assert all(axes.has_data() for axes in figure.axes)
        assert (tmp_path / f"{number}.png").stat().st_size > 3000


def test_the_overview_of_a_dataset_needs_every_scan(every_modality, tiny_dataset, tmp_path):
    dataset = fi.load(every_modality)
    figure = plot_overview(dataset, "01")
    figure.savefig(tmp_path / "overview.png")
    titles = [axes.get_title() for axes in figure.axes]
    assert {"T1w", "PET: FDG", "PET: raclopride", "EEG: alpha, 8-12 Hz"} <= set(titles)
    with pytest.raises(fi.FakeImagingError, match="needs 2 pet of sub-01"):
        plot_overview(fi.load(tiny_dataset), "01")


@pytest.mark.parametrize(("axis", "across", "up"), [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
def test_a_plane_shows_right_front_and_up_where_they_are(axis, across, up):
    array = np.zeros((9, 11, 7))
    where = np.array([1, 9, 3])
    array[tuple(where)] = 1.0
    ax = blank(3, 3).subplots()
    shown = draw_plane(ax, plotting.Volume(array, DIAGONAL), axis, 2.0 * where[axis])
    assert shown.origin == "lower"
    assert np.argwhere(shown.get_array() == 1.0).tolist() == [[where[up], where[across]]]
    left, right, bottom, top = shown.get_extent()
    assert (left, right) == (-1.0, 2.0 * array.shape[across] - 1.0)
    assert (bottom, top) == (-1.0, 2.0 * array.shape[up] - 1.0)
    letters = [text.get_text() for text in ax.texts if text.get_position()[0] < 0.5]
    assert letters == ["P" if axis == 0 else "L"]


@pytest.mark.parametrize("orientation", ["RAS", "LAS"])
@pytest.mark.parametrize("oblique", [(0.0, 0.0, 0.0), (20.0, 0.0, 10.0)])
def test_a_volume_of_any_grid_shows_each_place_where_it_is(orientation, oblique):
    recording = fi.acquire(
        "bold", tiny_subject(), short_activity(), voxel_size=8.0, oblique=oblique, orientation=orientation
    )
    grid = recording.observed.grid
    places = np.moveaxis(np.indices(grid.shape), 0, -1) @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    for axis in range(3):
        shown = plotting.Volume.straight(places[..., axis] + 1000.0, grid.affine)
        np.testing.assert_allclose(shown.affine[:3, :3], np.diag([8.0] * 3), atol=1e-6)
        there = shown.affine[axis, 3] + 8.0 * np.indices(shown.array.shape)[axis]
        inside = shown.array > 0
        assert inside.mean() > 0.7
        np.testing.assert_allclose(shown.array[inside] - 1000.0, there[inside], atol=4.0 * np.sqrt(3))


def test_a_plane_beyond_the_volume_is_its_last_one():
    volume = plotting.Volume(np.arange(27.0).reshape(3, 3, 3), DIAGONAL)
    np.testing.assert_array_equal(volume.plane(2, 100.0), volume.array[:, :, 2])
    np.testing.assert_array_equal(volume.plane(2, -100.0), volume.array[:, :, 0])
    assert volume.middle == (2.0, 2.0, 2.0)
    assert volume.slab(3.9).array.shape == (3, 3, 1)
    np.testing.assert_array_equal(volume.slab(3.9).plane(2, 3.9), volume.array[:, :, 2])


def test_an_image_is_read_with_its_scale(tmp_path):
    import nibabel as nib

    stored = np.arange(48, dtype=np.int16).reshape(2, 3, 2, 4)
    image = nib.Nifti1Image(stored, DIAGONAL)
    image.header.set_slope_inter(0.5, 0)
    path = tmp_path / "image.nii.gz"
    image.to_filename(path)
    expected = nib.load(path).get_fdata()
    np.testing.assert_allclose(plotting.Volume.read(path).array, expected)
    np.testing.assert_allclose(plotting.Volume.read(path, slice(1, 3)).array, expected[..., 1:3])
    assert plotting.Volume.read(path, 2).array.dtype == np.float32


def test_rows_of_planes_say_what_and_where_they_are():
    volume = plotting.Volume(np.arange(343.0).reshape(7, 7, 7), DIAGONAL)
    scales = [plotting.Scale(label="Bq/mL"), plotting.Scale("hot")]
    figure = plotting.plot_rows([volume, replace(volume)], ["above", "below"], scales, heights=[2.0, 6.0, 9.6])
    images = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in images] == ["z = 2 mm", "z = 6 mm", "z = 10 mm", "", "", ""]
    assert [text.get_text() for axes in images for text in axes.texts] == ["L", "R", "above", "L", "R", "below"]
    assert len(figure.axes) == 7
    np.testing.assert_array_equal(images[1].images[0].get_array(), volume.array[:, :, 3].T)


def test_electrodes_seen_from_above_have_the_nose_up_and_left_on_the_left():
    landmarks = np.array([[0, 100.0, 0], [-80.0, 0, 0], [80.0, 0, 0]])
    points = np.array([[0, 0, 125.0], [-50.0, 60, 60], [50.0, 60, 60], [0, -90.0, 40]])
    flat = flattened(points, landmarks)
    assert np.linalg.norm(flat[0]) < 0.25
    assert flat[1][0] < 0 < flat[2][0]
    np.testing.assert_allclose(flat[1] * [-1, 1], flat[2], atol=1e-9)
    assert flat[1][1] > 0 > flat[3][1]
    assert np.linalg.norm(flattened(landmarks, landmarks[[0, 0, 0]])[0]) == pytest.approx(1.0)


def test_a_map_passes_through_the_electrodes_values():
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    flat = 0.8 * np.column_stack([np.cos(turn), np.sin(turn)])
    values = flat[:, 0] * 10
    shown = draw_topography(blank(3, 3).subplots(), flat, values)
    array, extent = shown.get_array(), shown.get_extent()
    ticks = np.linspace(extent[0], extent[1], array.shape[0])
    for (x, y), value in zip(flat, values, strict=True):
        found = array[np.abs(ticks - y).argmin(), np.abs(ticks - x).argmin()]
        assert found == pytest.approx(value, abs=0.4)
    assert np.ma.getmaskarray(np.ma.masked_invalid(array))[0, 0]


@pytest.mark.parametrize(("size", "bar"), [(1.0, 1.0), (99.0, 50.0), (100.0, 100.0), (0.37, 0.2)])
def test_the_scale_bar_has_a_round_length(size, bar):
    assert _round(size) == pytest.approx(bar)


def test_the_band_amplitude_of_a_sine_is_its_rms():
    times = np.arange(0, 40, 1 / 250)
    series = np.stack([3.0 * np.sin(2 * np.pi * 10 * times), 3.0 * np.sin(2 * np.pi * 30 * times)])
    found = plotting.band_amplitude(series, 250.0)
    assert found[0] == pytest.approx(3.0 / np.sqrt(2), rel=0.02)
    assert found[1] < 0.01


def test_regions_of_a_network_stand_together():
    regions = tiny_subject().regions
    networks = [regions[i].network for i in by_network(regions)]
    assert sorted(by_network(regions)) == list(range(len(regions)))
    assert len(list(dict.fromkeys(networks))) == 1 + sum(a != b for a, b in zip(networks, networks[1:], strict=False))


def test_rows_of_a_carpet_are_means_of_neighbours():
    voxels = np.arange(10.0)[:, None] * np.ones(3)
    assert _blocks(voxels, 5)[:, 0].tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert len(_blocks(voxels, 100)) == 10
    assert len(_blocks(voxels[:0], 5)) == 0


def test_the_look_does_not_follow_the_users_settings():
    import matplotlib

    sizes = []
    for user in (6.0, 30.0):
        with matplotlib.rc_context({"font.size": user}):
            sizes.append(styled(lambda: blank(2, 2).subplots().set_xlabel("x").get_fontsize())())
    assert sizes[0] == sizes[1]


def test_late_activity_is_the_mean_of_the_last_two_thirds(every_modality):
    import json

    import nibabel as nib

    dataset = fi.load(every_modality)
    scan = next(scan for scan in dataset.scans() if scan.stem.endswith("18FFDG"))
    about = json.loads((dataset.root / scan.sidecar).read_text())
    lengths, starts = np.array(about["FrameDuration"]), np.array(about["FrameTimesStart"])
    late = starts >= 1200
    assert 0 < late.sum() < len(late)
    for clean, path in ((False, scan.raw), (True, scan.clean)):
        frames = nib.load(dataset.root / path).get_fdata()[..., late]
        # What one long frame would hold: each weighted by the counts of a constant activity.
        rate = np.log(2) / 6586.2
        weights = np.exp(-rate * starts[late]) - np.exp(-rate * (starts + lengths)[late])
        expected = (frames * weights).sum(axis=3) / weights.sum() / 1000
        np.testing.assert_allclose(late_mean(dataset, scan, clean=clean).array, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("rate", "n_axes"), [(10.0, 2), (12.5, 2), (31.25, 5)])
def test_a_slow_recording_is_drawn_without_alpha(rate, n_axes, tmp_path):
    rng, names = np.random.default_rng(1), ("O1", "Oz", "O2", "Cz", "Fz")
    clean = 1e-5 * rng.standard_normal((5, round(60 * rate)))
    flat = np.array([[-0.3, -0.8], [0, -0.8], [0.3, -0.8], [0, 0], [0, 0.5]])
    figure = plotting.plot_eeg(Eeg(names, rate, clean + 1e-6 * rng.standard_normal(clean.shape), clean, flat))
    figure.savefig(tmp_path / "eeg.png")
    assert len(figure.axes) == n_axes
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert any(word.startswith("peak") for word in words) == (n_axes > 2)
