"""The echoes of a scan after preprocessing: each in one pose, a map of T2*, and their optimal combination.

    w_n = TE_n exp(-TE_n / T2*) / sum over echoes of the same   (Posse et al. 1999)

T2* is fitted to the echoes' means over time, log-linear, each weighted by its signal squared: the noise of a logarithm goes with one
over the signal. That is what an analysis can do; the true map lies in the truth.

Reference: Posse et al. 1999, doi:10.1002/(SICI)1522-2594(199907)42:1<87::AID-MRM13>3.0.CO;2-O
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fakeimaging.dataset.images import SCANNER, stored_volumes, write_image
from fakeimaging.dataset.job import Job
from fakeimaging.dataset.names import PREP
from fakeimaging.dataset.prep import IN_BRAIN, Undone, derivatives, series_file
from fakeimaging.modalities.layers import Image

LONGEST, SHORTEST = 0.5, 0.001
"""s, limits of a fitted T2*."""
T2_STEP = 2e-5
"""s, step of the stored map."""
Map = npt.NDArray[np.float32]


def fit_decay(means: npt.NDArray, echo_times: npt.ArrayLike) -> tuple[Map, Map]:
    """Return T2* in s and S0 of ``S = S0 exp(-TE / T2*)``, by weighted least squares on the logarithm.

    Parameters
    ----------
    means : ndarray, shape (n_echoes, ...)
        Signal; where an echo has none, both results are 0.
    echo_times : array_like, shape (n_echoes,)
        s.

    Examples
    --------
    >>> t2_star, s0 = fit_decay(100 * np.exp([[-0.5], [-1.0], [-1.5]]), [0.015, 0.03, 0.045])
    >>> t2_star.round(4), s0.round(2)
    (array([0.03], dtype=float32), array([100.], dtype=float32))
    """
    times = np.asarray(echo_times, dtype=np.float64).reshape(-1, *[1] * (means.ndim - 1))
    there = (means > 0).all(axis=0)
    signal = np.where(there, means, 1.0).astype(np.float64)
    weights = (signal / signal.max(axis=0)) ** 2
    weights /= weights.sum(axis=0)
    logs = np.log(signal)
    middle, level = (weights * times).sum(axis=0), (weights * logs).sum(axis=0)
    rate = -(weights * (times - middle) * (logs - level)).sum(axis=0) / (weights * (times - middle) ** 2).sum(axis=0)
    rate = np.clip(rate, 1 / LONGEST, 1 / SHORTEST)
    s0 = np.exp(level + rate * middle)
    return np.where(there, 1 / rate, 0).astype(np.float32), np.where(there, s0, 0).astype(np.float32)


def weights_of(t2_star: Map, echo_times: npt.ArrayLike) -> Map:
    """Return the share of each echo in the combination, shape (n_echoes, ...); that of the echo times alone where T2* is 0."""
    times = np.asarray(echo_times, dtype=np.float32).reshape(-1, *[1] * t2_star.ndim)
    rate = np.divide(1, t2_star, out=np.zeros_like(t2_star), where=t2_star > 0)
    wanted = times * np.exp(-times * rate)
    return np.asarray(wanted / wanted.sum(axis=0), dtype=np.float32)


def combine(job: Job, motion: npt.NDArray[np.float64]) -> None:
    """Read the echoes back, combine them, and make every derivative of the combination."""
    times = job.recording.parameters.echo_times
    grid, n_volumes = job.recording.clean.grid, job.recording.clean.n_volumes
    total = np.zeros((len(times), *grid.shape))
    for volumes in _volumes(job):
        total += volumes
    t2_star, _ = fit_decay(total / n_volumes, times)
    brain = job.subject.anatomy.tissue(grid).brain > IN_BRAIN
    _write_map(job, np.where(brain, t2_star, np.float32(0)))
    weights = weights_of(t2_star, times)
    still = Undone(np.broadcast_to(np.eye(4), (n_volumes, 4, 4)))
    clean = _combined_clean(job, weights) if job.recording.parameters.surfaces else None
    with derivatives(job, motion, still, clean) as take, series_file(job, grid, "", SCANNER, "optcom") as append:
        for v, volumes in enumerate(_volumes(job)):
            together = (weights * volumes).sum(axis=0)
            append(together)
            take(v, together)


def _combined_clean(job: Job, weights: Map) -> Image:
    images = [part.clean for part in job.recording.parts]

    def volume(v: int) -> npt.NDArray[np.float32]:
        return np.asarray(sum(w * image.make(v) for w, image in zip(weights, images, strict=True)))

    return job.recording.clean.made_by(volume)


def _volumes(job: Job) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the volumes of all echoes as they were stored, shape (n_echoes, *grid.shape)."""
    paths = [job.root / PREP / part.beside("desc-preproc_bold.nii.gz") for part in job.scan.parts]
    image = job.recording.clean
    files = [stored_volumes(path, image.grid.shape, image.n_volumes) for path in paths]
    yield from (np.stack(volumes) for volumes in zip(*files, strict=True))


def _write_map(job: Job, t2_star: Map) -> None:
    path = job.prepared("T2starmap.nii.gz")
    image = Image(job.recording.clean.grid, None, lambda v: t2_star, T2_STEP)
    job.note(path, write_image(job.root / path, image))
    about = {
        "Units": "s",
        "Sources": job.sources,
        "Description": "fitted to the means of the echoes over time, log-linear",
    }
    job.describe(path, about | {"EstimationReference": "Posse et al. 1999"})
