from dataclasses import replace

import numpy as np
import pytest

from fakeimaging.core.errors import ParameterError
from fakeimaging.structure.selection import check_known, chosen, specificity, unknown
from fakeimaging.testing.fixtures import tiny_subject

REGIONS = tiny_subject().regions


def test_names_and_groups_choose_what_they_say():
    for field in ("kind", "network", "hemisphere", "name"):
        for value in {getattr(region, field) for region in REGIONS}:
            word = value if field == "name" else f"{field}:{value}"
            np.testing.assert_array_equal(chosen([word], REGIONS), [getattr(r, field) == value for r in REGIONS])
            assert unknown(word, REGIONS) is None
    assert chosen(["all"], REGIONS).all()
    assert not chosen([], REGIONS).any()
    assert chosen(["L_NetA_01", "network:NetB"], REGIONS).sum() == 5
    assert [specificity(word, REGIONS) for word in ("all", "kind:cortex", "L_NetA_01")] == [0, 1, 2]


def test_a_regions_own_name_is_meant_first():
    odd = (replace(REGIONS[0], name="all"), replace(REGIONS[1], name="network:NetB"), *REGIONS[2:])
    np.testing.assert_array_equal(np.flatnonzero(chosen(["all"], odd)), [0])
    np.testing.assert_array_equal(np.flatnonzero(chosen(["network:NetB"], odd)), [1])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("L_NetA_1", "no such region as 'L_NetA_1'; did you mean 'L_NetA_01'"),
        ("NetA", "no such region as 'NetA'; did you mean"),
        ("cortex", "no such region as 'cortex'; did you mean 'kind:cortex'"),
        ("kind:corte", "no such kind as 'corte'; did you mean 'cortex'"),
        ("networks:NetA", "no such region as 'networks:NetA'; did you mean 'network:NetA'"),
        ("", "no such region as ''"),
    ],
)
def test_what_is_not_there_is_named(word, message):
    with pytest.raises(ParameterError, match=f"`here`: the subject has {message}"):
        check_known([word, "all"], REGIONS, where="here")
