"""Studies of tracers of structure need no run; a scan that follows its run is held against its length before anything runs."""

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import ParameterError
from fakeimaging.dataset.plan import plan
from fakeimaging.dataset.study import Study

TINY = {"name": "x", "seed": 3, "subjects": 1, "subject": {"anatomy": "tiny"}}
SCAN = {"modality": "pet", "voxel_size": 12.0, "duration": 300.0}


def study(*scans, runs=(), label=None):
    return TINY | {"sessions": [{"label": label, "runs": list(runs), "acquisitions": [SCAN | scan for scan in scans]}]}


def test_a_study_of_synapses_and_deposits_has_no_run(tmp_path):
    content = study({"tracer": "ucbj"}, {"tracer": "pib"}, label="one")
    streams = [item.stream for item in plan(Study.check(content))]
    assert streams[0].startswith("sub-01/ses-one/pet/trc-11CUCBJ")
    fi.simulate_study(content, tmp_path / "out")
    assert len(list((tmp_path / "out/sub-01").rglob("sub-01_ses-one_trc-*_pet.nii.gz"))) == 2
    source = tmp_path / "out/sourcedata/fakeimaging/sub-01"
    density = np.load(source / "sub-01_ses-one_trc-11CUCBJ_pet_synaptic-density.npy")
    assert density.shape == (10,)
    assert not list(source.glob("*tap-*"))


def test_the_same_synapses_with_and_without_a_run_beside_them(tmp_path):
    run = {"task": "rest", "model": "linear", "duration": 20.0}
    alone, beside = study({"tracer": "ucbj"}), study({"tracer": "ucbj"}, {"tracer": "fdg", "task": "rest"}, runs=[run])
    for name, content in (("a", alone), ("b", beside)):
        fi.simulate_study(content, tmp_path / name)
    one, two = ((tmp_path / n / "sub-01/pet/sub-01_trc-11CUCBJ_pet.nii.gz").read_bytes() for n in "ab")
    assert one == two


def test_a_scan_that_follows_a_short_run_is_found_in_the_study():
    run = {"task": "rest", "model": "linear", "duration": 200.0}
    line = r"`sessions\[0\].acquisitions\[0\]`: it follows task 'rest', run 1, for {} s, and `duration` of that run is 200 s"
    for words, needed in (({"tracer": "water"}, 300), ({"tracer": "fdg", "follow": True, "run_time": 60.0}, 360)):
        with pytest.raises(ParameterError, match=line.format(needed)):
            Study.check(study({"task": "rest"} | words, runs=[run]))
    for words in ({"tracer": "water", "follow": False}, {"tracer": "fdg"}, {"tracer": "water", "duration": 180.0}):
        Study.check(study({"task": "rest"} | words, runs=[run]))


def test_the_recipe_of_the_nrm_challenge_is_a_study(tmp_path):
    """Two scans of one subject, six displaced places in the second: doi:10.18112/openneuro.ds001705."""
    sizes = ((2555.0, 0.27), (2275.0, 0.27), (1152.0, 0.21), (493.0, 0.18), (343.0, 0.18), (418.0, 0.18))
    points = [(-60.0, 0, 0), (60.0, 0, 0), (0, -70.0, 0), (0, 65.0, 0), (20.0, 0, 60.0), (-20.0, 0, 60.0)]
    places = [{"near": near, "volume": v, "reduction": r} for near, (v, r) in zip(points, sizes, strict=True)]
    run = {"task": "rest", "model": "linear", "duration": 20.0}
    scans = [{"tracer": "raclopride", "task": "rest"} | more for more in ({}, {"repeat": 2, "displaced": places})]
    content = study(*scans, runs=[run])
    content["sessions"][0]["acquisitions"] = [
        scan | {"voxel_size": 4.0} for scan in content["sessions"][0]["acquisitions"]
    ]
    fi.simulate_study(content, tmp_path / "out")
    truth = tmp_path / "out/derivatives/fakeimaging-truth/sub-01/pet"
    assert (truth / "sub-01_trc-11CRAC_run-2_desc-place_pet.nii.gz").is_file()
    table = tmp_path / "out/sourcedata/fakeimaging/sub-01/sub-01_trc-11CRAC_run-2_desc-displaced_places.tsv"
    rows = [line.split("\t") for line in table.read_text().splitlines()[1:]]
    assert {int(row[0]) for row in rows} == set(range(1, 7))
    assert {float(row[3]) for row in rows} == {0.27, 0.21, 0.18}
