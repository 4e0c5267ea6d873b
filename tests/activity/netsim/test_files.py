import numpy as np
import pytest
from scipy.io import loadmat, savemat

from fakeimaging.activity.netsim import netsim, read_netsim, write_netsim
from fakeimaging.core.errors import InputError


def test_a_file_has_the_published_layout(tmp_path):
    simulated = netsim(26, 2, seed=1)
    write_netsim(tmp_path / "sim26.mat", simulated)
    content = loadmat(tmp_path / "sim26.mat")
    assert [float(content[name].squeeze()) for name in ("Nsubjects", "Nnodes", "Ntimepoints")] == [2, 5, 50]
    assert content["ts"].shape == (100, 5)
    np.testing.assert_array_equal(content["ts"][50:], simulated.ts[1])
    assert (content["net"][:, range(5), range(5)] == -1).all()
    assert content["net"][1, 0, 1] == simulated.net[1, 1, 0] > 0  # from 1 to 2
    assert content["net"][1, 1, 0] == 0


def test_what_is_written_is_read_and_has_the_same_bytes_each_time(tmp_path):
    simulated = netsim(11, 3, seed=1)
    for name in ("one.mat", "two.mat"):
        write_netsim(tmp_path / name, simulated)
    assert (tmp_path / "one.mat").read_bytes() == (tmp_path / "two.mat").read_bytes()
    assert b"Created" not in (tmp_path / "one.mat").read_bytes()
    found = read_netsim(tmp_path / "one.mat", tr=3.0)
    np.testing.assert_array_equal(found.ts, simulated.ts)
    np.testing.assert_array_equal(found.net, simulated.net)
    assert (found.tr, found.case, found.clean) == (3.0, None, None)


def test_one_subject_keeps_its_axis(tmp_path):
    write_netsim(tmp_path / "one.mat", netsim(26, 1, seed=1))
    found = read_netsim(tmp_path / "one.mat", tr=3.0)
    assert (found.ts.shape, found.net.shape) == ((1, 50, 5), (1, 5, 5))


def test_a_file_that_is_something_else_is_refused(tmp_path):
    path = tmp_path / "x.mat"
    savemat(path, {"ts": np.zeros((10, 2)), "Nsubjects": 1, "Nnodes": 2})
    with pytest.raises(InputError, match="no Ntimepoints, net; a NetSim file holds"):
        read_netsim(path, tr=3.0)
    savemat(path, {"ts": np.zeros((10, 2)), "net": np.zeros((1, 2, 2)), "Nsubjects": 2, "Nnodes": 2, "Ntimepoints": 10})
    with pytest.raises(InputError, match=r"ts \(10, 2\) and net \(1, 2, 2\) should be \(20, 2\) and \(2, 2, 2\)"):
        read_netsim(path, tr=3.0)
