"""Look at a real 4-D image and say how to simulate one with its noise: SNR, temporal SNR, memory, smoothness, drift.

Everything comes in closed form or from moments (`moments`); nothing is simulated on the way. Thermal noise is read from the air
around the head where there is some, from the law of magnitude noise (one coil or several), and else from what is white in time.
Physiological noise is all else: pulse, breathing and spontaneous activity are in it, so `Match.parameters` turns those off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.core.parameters import bounds_of
from fakeimaging.modalities import moments
from fakeimaging.modalities.smoothness import SpatialCorrelation

if TYPE_CHECKING:
    import nibabel as nib

Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]

FEWEST_VOLUMES = 10
FEWEST_VOXELS = 20
DARK = 0.3
"""Mean of air over that of the head, above which there is no air in the image."""
FAR = 2
"""Voxels from the head within which air is not looked at."""
FEWEST_AIR = 50
"""Voxels of air below which thermal noise is read from time."""
RAYLEIGH = 1.913
"""Mean over SD of the magnitude of noise in air, one coil; more with more coils."""
TOLERANCE = 0.1
"""How far below it a ratio may lie and still count as magnitude noise; below half of it noise has both signs."""
MOST_COILS = 64
MOST_SNR = 1e6
"""SNR of a scan in which there is no thermal noise to be seen."""
TR_BOUNDS = (0.05, 20.0)
"""s."""
WIDEST = 600.0
"""mm, the largest field of view that is simulated."""


@dataclass(frozen=True, eq=False, repr=False)
class Match:
    """What a 4-D image says about its noise.

    Parameters
    ----------
    n_volumes : int
    tr : float
        s.
    voxel_size : (dx, dy, dz)
        mm.
    signal : float
        Median over the mask of the mean in time.
    snr : float
        ``signal`` over the SD of thermal noise.
    snr_from : {"background", "time"}
        Where it was read.
    noise : {"rician", "chi", "gaussian"}
        Law of the noise, and with ``coils`` how many receivers of "chi".
    coils : int
    tsnr : float
        Median over the mask of mean over SD in time.
    tsnr_map : nibabel.Nifti1Image
        The same in each voxel, 0 outside the mask.
    lambda_grey : float
        SD of physiological noise over signal, as Krueger and Glover have it.
    ar1 : float
        Autocorrelation of all noise from volume to volume, drift taken out, without the bias of that.
    ar_time : float
        s, memory of the physiological part: its autocorrelation is exp(-TR / ar_time).
    fwhm : (fx, fy, fz)
        mm, of the Gaussian kernel that would give neighbours the correlation of all noise; 0 along an axis without pairs.
    correlation : SpatialCorrelation
        Of the physiological part, or of all noise where that is smooth too.
    drift_percent : float
        SD of what is slower than 1/128 Hz beyond the noise's share of it.
    mask : nibabel.Nifti1Image
        Voxels that were looked at.
    """

    n_volumes: int
    tr: float
    voxel_size: tuple[float, float, float]
    signal: float
    snr: float
    snr_from: Literal["background", "time"]
    noise: Literal["rician", "chi", "gaussian"]
    coils: int
    tsnr: float
    tsnr_map: nib.Nifti1Image
    lambda_grey: float
    ar1: float
    ar_time: float
    fwhm: tuple[float, float, float]
    correlation: SpatialCorrelation
    drift_percent: float
    mask: nib.Nifti1Image

    def __repr__(self) -> str:
        size = " x ".join(map(str, (*self.mask.shape, self.n_volumes)))
        return (
            f"Match({size}, TR {self.tr:g} s: SNR {self.snr:.4g} ({self.noise}), temporal SNR {self.tsnr:.4g}, "
            f"lambda {self.lambda_grey:.2g}, AR(1) {self.ar1:.2f}, drift {self.drift_percent:.2g} %)"
        )

    def parameters(self, what: Literal["bold", "phantom"] = "bold") -> dict[str, Any]:
        """Return parameters that make a simulation with this noise.

        Parameters
        ----------
        what : {"bold", "phantom"}
            For ``acquire("bold", ..., **match.parameters())`` or ``phantom(**match.parameters("phantom"))``; the latter has memory
            and smoothness of its own too.

        Raises
        ------
        InputError
            If ``what`` is neither.
        """
        if what not in {"bold", "phantom"}:
            raise InputError(f"`what`: 'bold' or 'phantom', not {what!r}", value=what)
        shared = {
            "tr": self.tr,
            "snr": self.snr,
            "noise": self.noise,
            **({"coils": self.coils} if self.noise == "chi" else {}),
            **{f"lambda_{tissue}": self.lambda_grey for tissue in ("grey", "white", "csf")},
            "drift_percent": self.drift_percent,
            "cardiac_percent": 0.0,
            "respiratory_percent": 0.0,
        }
        if what == "bold":
            edges = tuple(min(max(edge, 1.0), 20.0) for edge in self.voxel_size)
            smooth = {"noise_memory": self.ar_time, "noise_fwhm": self.correlation.kernel_fwhm}
            extent = tuple(min(n * d, WIDEST) for n, d in zip(self.mask.shape, self.voxel_size, strict=True))
            grid = {"voxel_size": edges, "field_of_view": extent}
            return _within("bold", {**shared, **smooth, **grid, "heart_rate_percent": 0.0})
        own = {
            "n_volumes": self.n_volumes,
            "voxel_size": math.prod(self.voxel_size) ** (1 / 3),
            "baseline": self.signal,
            "ar_time": self.ar_time,
            "correlation": self.correlation.model_dump(),
            "fluctuation_percent": 0.0,
        }
        return _within("phantom", {**shared, **own})


def match(
    image: str | Path | nib.spatialimages.SpatialImage,
    *,
    mask: str | Path | nib.spatialimages.SpatialImage | npt.ArrayLike | None = None,
    tr: float | None = None,
) -> Match:
    """Measure the noise of a 4-D image.

    Parameters
    ----------
    image : path or nibabel image, 4-D
    mask : path, nibabel image or array, optional
        Where to look, such as grey matter; by default all that is much brighter than air, or all voxels where there is no air.
    tr : float, optional
        Repetition time in s; by default the header's.

    Returns
    -------
    Match

    Raises
    ------
    InputError
        If the image is not 4-D, has fewer than 10 volumes, no repetition time, or nothing that varies in the mask.

    Examples
    --------
    >>> from fakeimaging.modalities.phantom import phantom
    >>> real = phantom(seed=1, off=["cardiac", "respiratory"], fluctuation_percent=0.0, events=[])
    >>> found = match(real.image, mask=real.labels)
    >>> found.snr_from, found.noise, round(found.snr / 150, 1), round(found.lambda_grey / 0.0085, 1)
    ('background', 'rician', 1.0, 1.0)
    """
    opened = _opened(image)
    step = _repetition_time(opened, tr)
    data = np.asarray(opened.dataobj, dtype=np.float32)
    finite = np.isfinite(data).all(axis=3)
    data[~finite] = 0
    varies = np.ptp(data, axis=3) > 0
    mean = data.mean(axis=3, dtype=np.float64)
    head, air = _head_and_air(mean, varies)
    inside = varies & (mean > 0) & (head if mask is None else _read_mask(mask, mean.shape))
    if inside.sum() < FEWEST_VOXELS:
        raise InputError(f"`mask`: {inside.sum()} voxels of it vary in time; {FEWEST_VOXELS} are needed", value=mask)
    return _measured(opened, data, inside, air, step)


def _loaded(what: str, image: Any) -> Any:
    import nibabel as nib

    if not isinstance(image, str | Path):
        return image
    try:
        return nib.load(image)
    except FileNotFoundError as error:
        raise InputError(f"`{what}`: there is no file {image}", value=image) from error
    except (nib.filebasedimages.ImageFileError, OSError) as error:
        raise InputError(f"`{what}`: {image} is no image that nibabel can read", value=image) from error


def _opened(image: Any) -> Any:
    opened = _loaded("image", image)
    shape = getattr(opened, "shape", None)
    if shape is None or not hasattr(opened, "dataobj"):
        raise InputError(f"`image`: a path or a nibabel image is wanted, not {type(image).__name__}", value=image)
    if len(shape) != 4:
        raise InputError(
            f"`image`: its shape is {shape}; noise is measured in time, so a 4-D image is wanted", value=image
        )
    if shape[3] < FEWEST_VOLUMES:
        raise InputError(f"`image`: {shape[3]} volumes; at least {FEWEST_VOLUMES} are needed", value=image)
    return opened


def _repetition_time(image: Any, tr: float | None) -> float:
    if tr is None:
        zooms = image.header.get_zooms()
        units = image.header.get_xyzt_units()[1] if hasattr(image.header, "get_xyzt_units") else "sec"
        tr = float(zooms[3]) / {"msec": 1e3, "usec": 1e6}.get(units, 1.0) if len(zooms) > 3 else 0.0
        words = "the header says"
    else:
        words = "it is"
    low, high = TR_BOUNDS
    if not low <= tr <= high:
        raise InputError(f"`tr`: {words} {tr:g} s, outside [{low:g}, {high:g}]; give `tr` in seconds", value=tr)
    return tr


def _read_mask(mask: Any, shape: tuple[int, ...]) -> Mask:
    opened = _loaded("mask", mask)
    array = np.asarray(opened.dataobj if hasattr(opened, "dataobj") else opened)
    if array.shape != shape:
        raise InputError(f"`mask`: its shape is {array.shape}, that of a volume {shape}", value=mask)
    return np.asarray(np.nan_to_num(array) != 0)


def _head_and_air(mean: Array, varies: Mask) -> tuple[Mask, Mask]:
    """Split voxels that vary into head and air by their brightness (Otsu 1979); without dark ones all are head."""
    from scipy import ndimage

    if not varies.any():
        return varies, varies
    level = _otsu(mean[varies])
    bright = varies & (mean > level)
    dark = varies & ~bright
    if not bright.any() or not dark.any() or mean[dark].mean() > DARK * mean[bright].mean():
        return varies, np.zeros_like(varies)
    labels, n = ndimage.label(bright)
    head = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    near = ndimage.binary_dilation(ndimage.binary_fill_holes(bright), iterations=FAR)
    return head, dark & ~near


def _otsu(values: Array) -> float:
    """Return the level that splits values into two classes with the largest variance between them."""
    counts, edges = np.histogram(values, bins=256)
    middle = 0.5 * (edges[1:] + edges[:-1])
    below, total = np.cumsum(counts), counts.sum()
    mass = np.cumsum(counts * middle)
    parts = np.maximum(below * (total - below), 1)
    between = (mass[-1] * below - mass * total) ** 2 / parts
    return float(edges[1:][between[:-1].argmax()])


def _law_of_air(
    data: npt.NDArray[np.float32], air: Mask
) -> tuple[Literal["rician", "chi", "gaussian"], int, float] | None:
    """Return law, coils and SD of a channel from the mean and the SD that voxels of air have in time; None where they fit nothing."""
    if air.sum() < FEWEST_AIR:
        return None
    series = data[air].astype(np.float64)
    freedom = series.shape[1] - 1
    # The median of a chi-square variable of n degrees of freedom is n (1 - 2 / 9n)^3.
    variance = float(np.median(series.var(axis=1, ddof=1))) / (1 - 2 / (9 * freedom)) ** 3
    ratio = float(np.median(series.mean(axis=1))) / math.sqrt(variance)
    if ratio < 0.5 * RAYLEIGH:
        return ("gaussian", 1, math.sqrt(variance)) if (series < 0).mean() > 0.2 else None
    if ratio < (1 - TOLERANCE) * RAYLEIGH:
        return None
    coils = min(range(1, MOST_COILS + 1), key=lambda n: abs(_mean_of_chi(n) / _sd_of_chi(n) - ratio))
    if coils == MOST_COILS:
        return None
    return ("rician" if coils == 1 else "chi", coils, math.sqrt(variance) / _sd_of_chi(coils))


def _mean_of_chi(coils: int) -> float:
    """Mean magnitude of noise of SD 1 in each channel (Constantinides et al. 1997, doi:10.1002/mrm.1910380524)."""
    return math.sqrt(2) * math.exp(math.lgamma(coils + 0.5) - math.lgamma(coils))


def _sd_of_chi(coils: int) -> float:
    return math.sqrt(2 * coils - _mean_of_chi(coils) ** 2)


def _measured(image: Any, data: npt.NDArray[np.float32], inside: Mask, air: Mask, tr: float) -> Match:
    series = data[inside].astype(np.float64)
    mean = series.mean(axis=1)
    left = moments.residuals(series / mean[:, None] - 1, tr)
    signal, spread = float(np.median(mean)), math.sqrt(float((mean[moments.usual(left)] ** -2.0).mean()))
    law = _law_of_air(data, air)
    noise, coils, sigma = law if law is not None else ("gaussian", 1, math.nan)
    parts = moments.split(left, tr, None if law is None else sigma * spread)
    sigma = parts.white / spread if law is None else sigma
    tsnr = mean / series.std(axis=1, ddof=1)
    dx, dy, dz = (float(d) for d in np.linalg.norm(image.affine[:3, :3], axis=0))
    sizes = (dx, dy, dz)
    near = moments.neighbours(left.series, inside, sizes)
    fx, fy, fz = (moments.gaussian_fwhm(c, d) for c, d in zip(near.along, sizes, strict=True))
    return Match(
        n_volumes=series.shape[1],
        tr=tr,
        voxel_size=sizes,
        signal=signal,
        snr=min(signal / sigma, MOST_SNR) if sigma > 0 else MOST_SNR,
        snr_from="time" if law is None else "background",
        noise=noise,
        coils=coils,
        tsnr=float(np.median(tsnr)),
        tsnr_map=_map(tsnr, inside, image, np.float32),
        lambda_grey=parts.memory,
        ar1=parts.lag1,
        ar_time=-tr / math.log(max(parts.rho, 1e-3)),
        fwhm=(fx, fy, fz),
        correlation=moments.fit_correlation(near, _share(parts, near)),
        drift_percent=100 * parts.drift,
        mask=_map(np.ones(len(mean)), inside, image, np.uint8),
    )


def _share(parts: moments.Split, near: moments.Neighbours) -> float:
    """Return the share of the variance that is smooth: physiological noise alone, or all where neighbours have more in common."""
    power = parts.white**2 + parts.memory**2
    share = parts.memory**2 / power if power > 0 else 0.0
    return share if max(near.along) <= share else 1.0


def _map(values: Array, inside: Mask, image: Any, dtype: Any) -> nib.Nifti1Image:
    import nibabel as nib

    volume = np.zeros(inside.shape, dtype=dtype)
    volume[inside] = values
    return nib.Nifti1Image(volume, image.affine)


def _within(what: str, values: dict[str, Any]) -> dict[str, Any]:
    """Bring numbers to the bounds of their parameters: a scan can be worse than what is simulated."""
    from fakeimaging.modalities.bold.parameters import BoldParameters
    from fakeimaging.modalities.phantom.parameters import PhantomParameters

    fields = (BoldParameters if what == "bold" else PhantomParameters).model_fields
    brought = {}
    for name, value in values.items():
        low, high = bounds_of(fields[name])
        if isinstance(value, float):
            value = min(value, math.inf if high is None else high)
            value = max(value, -math.inf if low is None else low)
        brought[name] = value
    return brought
