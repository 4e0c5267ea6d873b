import numpy as np
import pytest

from fakeimaging.core.errors import InputError, ParameterError, UnknownNameError
from fakeimaging.modalities.pet import PetParameters
from fakeimaging.modalities.pet.counts import CYLINDER_ML, _rates, nema_survival
from fakeimaging.modalities.pet.scanners import SCANNERS, UNITS

OWN = """
[mine]
like = "mmr"
title = "a sharper one"
transaxial_fwhm = { value = [3.0, 4.0], unit = "mm", source = "wished for" }
"""


@pytest.mark.parametrize("name", SCANNERS.names())
def test_every_number_has_a_unit_and_a_source(name):
    scanner = SCANNERS.get(name)
    numbers = [number for key in UNITS if (number := getattr(scanner, key)) is not None]
    assert len(numbers) >= 11
    assert all(number.source for number in numbers)
    assert (np.array(scanner.far) >= scanner.near).all()
    assert 0.25 < scanner.scatter_fraction.value < 0.5


def test_the_default_scanner_keeps_its_sharpness_and_sensitivity():
    p = PetParameters()
    assert p.scanner == "discovery_mi"
    assert p.point_spread == (4.5, 4.5, 4.5)
    assert SCANNERS.get(p.scanner).sensitivity.value == 13.7
    assert PetParameters(scanner="hrrt").point_spread == (2.6, 2.6, 3.0)
    assert PetParameters(scanner="hrrt", psf_fwhm=6.0).point_spread == (6.0, 6.0, 6.0)


@pytest.mark.parametrize("name", SCANNERS.names())
def test_the_noise_equivalent_rate_peaks_where_the_table_says(name):
    scanner = SCANNERS.get(name)
    rates, k, f = _rates(scanner), scanner.randoms_weight.value, scanner.scatter_fraction.value
    mega = np.linspace(0.02, 3, 3000) * scanner.peak_activity.value * CYLINDER_ML / 1e3
    live = np.exp(-mega / rates.busy)
    trues = scanner.sensitivity.value * 1e3 * nema_survival() * mega * live
    necr = trues**2 / (trues / (1 - f) + k * rates.randoms * mega**2 * live)
    assert mega[necr.argmax()] * 1e3 / CYLINDER_ML == pytest.approx(scanner.peak_activity.value, rel=2e-3)
    assert necr.max() == pytest.approx(scanner.peak_necr.value * 1e3, rel=1e-4)


def test_time_of_flight_is_worth_its_resolution():
    # 375.4 ps are 56.3 mm along a line: 200 / (1.6 x 56.3).
    assert SCANNERS.get("discovery_mi").flight_gain(200.0) == pytest.approx(2.221, abs=1e-3)
    assert SCANNERS.get("discovery_mi").flight_gain(50.0) == 1.0
    assert SCANNERS.get("mmr").flight_gain(200.0) == 1.0


def test_a_scanner_of_ones_own_takes_what_it_does_not_say(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(OWN)
    p = PetParameters(scanner=str(path))
    assert p.point_spread == (3.0, 3.0, 4.3)
    assert SCANNERS.get(str(path)).sensitivity == SCANNERS.get("mmr").sensitivity
    path.write_text(OWN.replace("3.0, 4.0", "2.0, 4.0"))
    assert SCANNERS.get(str(path)).near == (2.0, 2.0, 4.3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('"mm"', "its unit here is mm, not cm"),
        ("[3.0, 4.0]", "2 numbers are needed, not 1"),
        ("3.0, 4.0", "is not above 0"),
        ('"mmr"', "no scanner called 'mmm'; did you mean 'mmr'"),
        ("title", "no such key; did you mean `title`|no such key"),
    ],
)
def test_what_cannot_be_used_is_said_in_its_line(tmp_path, change, message):
    wrong = {'"mm"': '"cm"', "[3.0, 4.0]": "[3.0]", "3.0, 4.0": "-3.0, 4.0", '"mmr"': '"mmm"', "title": "titel"}
    path = tmp_path / "mine.toml"
    path.write_text(OWN.replace(change, wrong[change]))
    with pytest.raises(ParameterError, match=message):
        SCANNERS.get(str(path))


def test_an_unknown_scanner_is_named(tmp_path):
    with pytest.raises(UnknownNameError, match="no scanner called 'hrtt'; did you mean 'hrrt'"):
        SCANNERS.get("hrtt")
    with pytest.raises(InputError, match="cannot read the scanner"):
        SCANNERS.get(str(tmp_path / "none.toml"))
    with pytest.raises(ParameterError, match="`pet.scanner`: no scanner called 'hrtt'"):
        PetParameters.parse({"scanner": "hrtt"}, where="pet")


def test_the_table_has_a_row_for_each():
    rows = {row["name"]: row for row in SCANNERS.table()}
    assert set(rows) == set(SCANNERS) >= {"discovery_mi", "hrrt", "mct", "mmr"}
    assert rows["mmr"]["timing"] == "-"
    assert rows["hrrt"]["fwhm"] == "2.6 x 2.6 x 3 mm"
