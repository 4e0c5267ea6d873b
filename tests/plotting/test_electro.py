import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.dataset.plan import plan
from fakeimaging.plotting.ieeg import plot_ieeg, read_ieeg
from fakeimaging.plotting.meg import _places, plot_meg, read_meg
from fakeimaging.plotting.topography import draw_maps
from fakeimaging.scoring import SCORES


def scan_of(dataset, modality):
    return next(scan for scan in dataset.scans() if scan.modality == modality)


def test_pictures_of_coils_have_their_units(every_modality):
    dataset = fi.load(every_modality)
    meg = read_meg(dataset, scan_of(dataset, "meg"))
    assert (meg.shown.unit, meg.back.unit) == ("fT", "fT")
    assert len(meg.shown.channels) == len(meg.flat) == 151
    assert 10 < np.median(meg.shown.scaled[1].std(axis=1)) < 1e4
    figure = plot_meg(meg)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert any(text.endswith(" fT") for text in texts)


def test_the_map_of_a_helmet_has_the_front_above_and_left_on_the_left(every_modality):
    dataset = fi.load(every_modality)
    meg = read_meg(dataset, scan_of(dataset, "meg"))
    names = sorted(meg.shown.channels)
    # MLF: left frontal, MRO: right occipital.
    order = {name: k for k, name in enumerate(scan_channels(dataset))}
    flat = {name: meg.flat[k] for name, k in order.items()}
    left, back = ([flat[name] for name in names if name.startswith(start)] for start in ("MLF", "MRO"))
    assert np.mean(left, axis=0)[0] < 0 < np.mean(left, axis=0)[1]
    assert np.mean(back, axis=0)[1] < 0 < np.mean(back, axis=0)[0]


def scan_channels(dataset):
    from fakeimaging.scoring.electro.files import MEG, read_channels

    return read_channels(dataset.root, scan_of(dataset, "meg"), MEG).names


def test_two_gradiometers_at_a_place_are_one_point():
    first, owner = _places(np.array([[0.1, 0, 0], [0.1, 0, 1e-6], [0, 0.1, 0]]))
    assert len(first) == 2
    assert owner[0] == owner[1] != owner[2]


def test_contacts_are_drawn_where_they_are_without_bad_traces(every_modality):
    dataset = fi.load(every_modality)
    scan = scan_of(dataset, "ieeg")
    ieeg = read_ieeg(dataset, scan)
    assert len(ieeg.traces.channels) == len(ieeg.contacts) - 2
    figure = plot_ieeg(ieeg, dataset.subject("01"))
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert set(ieeg.groups) <= set(words)
    drawn = np.concatenate([np.asarray(points.get_offsets()) for points in figure.axes[2].collections[-2:]])
    assert {tuple(row) for row in drawn.round(3)} == {tuple(row) for row in ieeg.points[:, :2].round(3)}


@pytest.mark.parametrize(("modality", "wanted"), [("meg", {"sources", "blinks", "beats"}), ("ieeg", {"own_region"})])
def test_scores_of_files_beat_chance(every_modality, modality, wanted):
    dataset = fi.load(every_modality)
    rows = {row.name: row for row in SCORES.get(modality)(dataset, scan_of(dataset, modality))}
    assert wanted <= set(rows)
    for name in wanted:
        assert np.isfinite(rows[name].estimate)
        assert rows[name].beats_chance, rows[name]
    # A run of 30 s holds few alpha waves: its peak is not far off, but no better than chance in every run.
    assert modality == "ieeg" or abs(rows["alpha_peak"].error) < 0.6


def test_the_planned_bytes_of_series_are_just_above_those_on_disk(every_modality):
    dataset = fi.load(every_modality)
    for scan in dataset.scans():
        if scan.modality in {"eeg", "meg", "ieeg"}:
            (item,) = (item for item in plan(dataset.study) if item.name.startswith(scan.raw.name))
            files = [
                path
                for name in (scan.raw, scan.clean)
                for path in (dataset.root / name).parent.glob(f"{name.name.split('.')[0]}.*")
                if path.suffix != ".json"
            ]
            written = sum(path.stat().st_size for path in files)
            assert written < item.bytes < 1.2 * written, scan.modality


def test_maps_share_one_scale():
    from fakeimaging.plotting.canvas import row

    figure, axes = row(2)
    flat = np.random.default_rng(1).uniform(-0.7, 0.7, (12, 2))
    draw_maps(figure, axes, flat, {"a": np.ones(12), "b": np.linspace(0, 3, 12)}, "uV")
    assert axes[0].images[0].get_clim() == axes[1].images[0].get_clim()
