"""What `fakeimaging match` and `fakeimaging netsim` print."""

from __future__ import annotations

from pathlib import Path

from fakeimaging.core.text import aligned


def print_match(image: Path, mask: Path | None, tr: float | None, tsnr: Path | None) -> None:
    """Print the noise of a scan and the lines of a study that simulate it; ``tsnr`` is where its map goes."""
    from fakeimaging.modalities.match import match

    found = match(image, mask=mask, tr=tr)
    x, y, z = found.fwhm
    rows = [
        ["SNR", f"{found.snr:.1f}", f"of {found.noise} noise, from {found.snr_from}"],
        ["temporal SNR", f"{found.tsnr:.1f}", "median"],
        ["lambda", f"{found.lambda_grey:.4f}", "SD of physiological noise over signal"],
        ["AR(1)", f"{found.ar1:.2f}", f"memory of physiological noise {found.ar_time:.1f} s"],
        ["smoothness", f"{(x + y + z) / 3:.1f}", "mm, full width at half maximum"],
        ["drift", f"{found.drift_percent:.2f}", "%, slower than 1/128 Hz"],
    ]
    print(aligned([["of the scan", "", ""], *rows]))
    print('\n[[sessions.acquisitions]]\nmodality = "bold"\ntask = "rest"  # the run it images')
    for name, value in found.parameters().items():
        print(f"{name} = {_toml(value)}")
    if tsnr is not None:
        found.tsnr_map.to_filename(tsnr)


def print_netsim(case: int, subjects: int, seed: int, inputs: str, jobs: int, out: Path) -> None:
    """Write a network's series, and print how well correlations find its links."""
    from fakeimaging.activity.netsim import netsim, write_netsim
    from fakeimaging.scoring.discovery import full_correlation, partial_correlation, score_discovery

    made = netsim(case, subjects, seed=seed, inputs=inputs, jobs=jobs)  # type: ignore[arg-type]
    write_netsim(out, made)
    rows = [["c-sensitivity", "pooled", "per subject"]]
    for name, estimator in (("full correlation", full_correlation), ("partial correlation", partial_correlation)):
        found = score_discovery(estimator(made.ts), made.net)
        rows.append([name, f"{found.pooled:.2f}", f"{found.per_subject:.2f}"])
    print(
        f"{out}: {subjects} subjects, {made.ts.shape[1]} volumes of {made.tr:g} s, {made.ts.shape[2]} nodes\n\n{aligned(rows)}"
    )


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        return f'"{value}"'
    return f"{value:.4g}" if isinstance(value, float) and value % 1 else f"{value}"
