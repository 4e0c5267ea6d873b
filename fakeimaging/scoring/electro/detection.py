"""Artefacts that MNE-Python's detectors and the usual rules find, against the truth: blinks, heart beats, bad channels; each as one F1.

    F1 = 2 P R / (P + R)

P: share of what was found that is true; R: share of what is true that was found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.streams import Streams
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.modalities.electro.bad import BAD_KINDS
from fakeimaging.scoring.electro.files import IEEG, Recorded, read_artefacts, read_channels, read_table
from fakeimaging.scoring.electro.sources import band_passed
from fakeimaging.scoring.table import Row

Floats = npt.NDArray[np.float64]

EYES, FRONT = ("VEOG", "EOG"), ("Fp1", "Fp2", "Fpz")
"""Channels in which blinks are looked for, the first one that is there."""
NEAR_BLINK, NEAR_BEAT = 0.1, 0.05
"""s by which what is found may be beside a blink, or beside an R peak."""
FEWEST = 3
"""Artefacts below which nothing is said."""
N_TURNS = 200
SLOWEST = 60.0
"""Hz, sampling rate that the detectors need: their filters reach to 35 Hz for heart beats, at most half the rate."""
LEAST_CHANNELS = 25
"""Channels below which the local outlier factor, which compares 20 neighbours, says nothing."""
HIGH_PASS, LOUD_BAND = 1.0, (1.0, 100.0)
"""Hz, before channels are compared: drift says nothing of them."""
HISS = (70.0, 100.0)
"""Hz, where a contact without a muscle near it has nothing but noise."""
LOUD, QUARTILES = 5.0, 0.7413
"""SDs above the median from which a channel is too loud, and SD of a normal distribution over its interquartile range (Bigdely-Shamlo et
al. 2015, doi:10.3389/fninf.2015.00016)."""
DEAD, FEWEST_ALIKE = 0.05, 8
"""Share of the median below which a channel is dead, and channels of one kind that are compared at least (assumed)."""


def detection_rows(dataset: Dataset, scan: Scan, kinds: tuple[str, ...]) -> Iterator[Row]:
    """Yield how well blinks, heart beats and bad channels are found in a recording; what it has none of has no row.

    Parameters
    ----------
    dataset : Dataset
    scan : Scan
    kinds : tuple of str
        BIDS types of its sensors.
    """
    true = read_artefacts(dataset.root, scan)
    recorded = read_channels(dataset.root, scan, (*EYES, "HEOG", "ECG", *kinds), bad=True)
    streams = Streams(dataset.study.seed or 0).at("score", scan.recording)
    if recorded.rate >= SLOWEST:
        yield from _events(scan, "blinks", *_blinks(true, recorded), recorded, streams)
        yield from _events(scan, "beats", *_beats(true, recorded), recorded, streams)
    lines = read_table(dataset.root / scan.beside("channels.tsv"))
    against = {name for line in lines for name in line.get("reference", "").split(",")}
    yield from _bad(scan, true, recorded, kinds, against, streams)


def f1(found: int, true: int, hits: int, seen: int) -> float:
    """Return F1 of ``found`` things of which ``hits`` are true, and of ``true`` ones of which ``seen`` were found.

    Examples
    --------
    >>> f1(10, 10, 9, 9), f1(0, 5, 0, 0)
    (0.9, 0.0)
    """
    if not hits or not seen:
        return 0.0
    precision, recall = hits / found, seen / true
    return 2 * precision * recall / (precision + recall)


def event_agreement(found: Floats, starts: Floats, ends: Floats) -> float:
    """Return F1 of times that were found, each true within a span; several in one span count as one and the rest as false.

    Parameters
    ----------
    found : ndarray, shape (n_found,)
        s.
    starts, ends : ndarray, shape (n_true,)
        s.
    """
    inside = (found[:, None] >= starts) & (found[:, None] <= ends)
    seen = int(inside.any(axis=0).sum())
    return f1(len(found), len(starts), min(seen, int(inside.any(axis=1).sum())), seen)


def _blinks(true: list[dict[str, str]], recorded: Recorded) -> tuple[Floats, Floats, Floats | None]:
    spans = _times(true, "blink")
    where = [*recorded.rows(*EYES), *(recorded.names.index(name) for name in FRONT if name in recorded.names)]
    if not where or not len(spans):
        return spans[:, 0], spans[:, 1], None
    from mne.preprocessing import find_eog_events

    raw = _raw(recorded, where[0], "eog")
    events = find_eog_events(raw, ch_name="x", verbose="error")
    return spans[:, 0] - NEAR_BLINK, spans[:, 1] + NEAR_BLINK, events[:, 0] / recorded.rate


def _beats(true: list[dict[str, str]], recorded: Recorded) -> tuple[Floats, Floats, Floats | None]:
    peaks, where = _times(true, "heartbeat")[:, 0], recorded.rows("ECG")
    if not where or not len(peaks):
        return peaks, peaks, None
    from mne.preprocessing import find_ecg_events

    events = find_ecg_events(_raw(recorded, where[0], "ecg"), ch_name="x", verbose="error")[0]
    return peaks - NEAR_BEAT, peaks + NEAR_BEAT, events[:, 0] / recorded.rate


def _times(true: list[dict[str, str]], name: str) -> Floats:
    """Return start and end of every artefact of a type, shape (n, 2)."""
    spans = [(float(row["onset"]), float(row["duration"])) for row in true if row["trial_type"] == name]
    return np.array([(onset, onset + duration) for onset, duration in spans]).reshape(-1, 2)


def _raw(recorded: Recorded, row: int, kind: str) -> Any:
    import mne

    info = mne.create_info(["x"], recorded.rate, kind)
    return mne.io.RawArray(recorded.samples[[row]], info, verbose="error")


def _events(
    scan: Scan, name: str, starts: Floats, ends: Floats, found: Floats | None, recorded: Recorded, streams: Streams
) -> Iterator[Row]:
    """Yield the row of a detector of events; chance turns what it found in time."""
    inside = ends <= recorded.seconds
    starts, ends = starts[inside], ends[inside]
    if found is None or len(starts) < FEWEST:
        return
    rng, length = streams.at(name).rng(), recorded.seconds
    found = found[found < max(float(ends[-1]), length)]
    estimate = event_agreement(found, starts, ends)
    turned = [event_agreement(np.mod(found + shift, length), starts, ends) for shift in length * rng.random(N_TURNS)]
    yield _row(scan, name, estimate, float(np.quantile(turned, 0.95)), len(starts))


def _bad(
    scan: Scan,
    true: list[dict[str, str]],
    recorded: Recorded,
    kinds: tuple[str, ...],
    against: set[str],
    streams: Streams,
) -> Iterator[Row]:
    """Yield the row of channels found bad, the reference itself left out; chance takes as many channels blindly."""
    bad = {row["channel"] for row in true if row["trial_type"] in BAD_KINDS}
    names = [recorded.names[row] for row in recorded.rows(*kinds) if recorded.names[row] not in against]
    if not bad or not names:
        return
    found = [name for name in bad_channels(recorded, kinds) if name in names]
    rng = streams.at("bad_channels").rng()
    blind = [_overlap(rng.choice(names, len(found), replace=False).tolist(), bad) for _ in range(N_TURNS)]
    yield _row(scan, "bad_channels", _overlap(found, bad), float(np.quantile(blind, 0.95)), len(bad))


def bad_channels(recorded: Recorded, kinds: tuple[str, ...]) -> list[str]:
    """Return the channels of some kinds that look bad: dead or far too loud, and of scalp electrodes outliers and bridges.

    Loudness is compared among channels of one kind; outliers and bridges are those of `mne.preprocessing.find_bad_channels_lof` and
    `mne.preprocessing.compute_bridged_electrodes`.
    """
    found: list[str] = []
    for kind in kinds:
        rows = recorded.rows(kind)
        if len(rows) >= FEWEST_ALIKE:
            bands = [LOUD_BAND, *([HISS] if kind in IEEG and HISS[1] <= 0.4 * recorded.rate else [])]
            odd = np.any([_odd(recorded.samples[rows], recorded.rate, band) for band in bands], axis=0)
            found += [recorded.names[rows[k]] for k in np.flatnonzero(odd)]
        if kind == "EEG" and len(rows) >= LEAST_CHANNELS:
            found += _outliers(recorded, rows)
    return list(dict.fromkeys(found))


def _odd(series: Floats, rate: float, band: tuple[float, float]) -> npt.NDArray[np.bool_]:
    """Tell which channels are far louder in a band than the others, or dead, shape (n_channels,)."""
    size = band_passed(series, rate, band=band).std(axis=1)
    middle, spread = np.median(size), QUARTILES * np.subtract(*np.quantile(size, (0.75, 0.25)))
    return np.asarray((size > middle + LOUD * spread) | (size < DEAD * middle))


def _outliers(recorded: Recorded, rows: list[int]) -> list[str]:
    import mne

    info = mne.create_info([recorded.names[row] for row in rows], recorded.rate, "eeg")
    raw = mne.io.RawArray(recorded.samples[rows], info, verbose="error")
    bridged, _ = mne.preprocessing.compute_bridged_electrodes(raw, verbose="error")
    raw.filter(HIGH_PASS, None, verbose="error")
    outliers: list[str] = mne.preprocessing.find_bad_channels_lof(raw, verbose="error")
    return outliers + [info["ch_names"][k] for pair in bridged for k in pair]


def _overlap(found: Collection[str], bad: Collection[str]) -> float:
    hits = len(set(found) & set(bad))
    return f1(len(found), len(bad), hits, hits)


def _row(scan: Scan, name: str, estimate: float, chance: float, n: int) -> Row:
    return Row(scan.subject, scan.recording, name, estimate, 1.0, estimate - 1.0, chance, n, np.nan, "F1")
