import math
import time
from pathlib import Path

import pytest

import fakeimaging as fi
from fakeimaging.activity import kernels
from fakeimaging.core.errors import InputError, ModelError, ParameterError
from fakeimaging.testing import check_model
from fakeimaging.testing.fixtures import tiny_subject
from tests.reference.xoshiro import Xoshiro256pp

MODEL = '''
"""A leaky integrator of somebody else's."""
import math

from fakeimaging import Model, Observable, Parameters, parameter

LEVEL = 2.0
SCALE = (LEVEL, 3.0)


class Leaky(Parameters):
    tau: float = parameter(0.05, unit="s", bounds=(0.01, 1))
    sigma: float = parameter(0.1, unit="1", bounds=(0, 10))


def target(x):
    return SCALE[0] * math.exp(-x * x) if abs(x) > 1e3 else SCALE[0]


def drift(x, coupled_x, tau):
    return ((target(x) - x + 0.001 * coupled_x) / tau,)


def diffusion(sigma):
    return (sigma,)


def rate(x):
    return max(x, 0.0)


MODEL = Model(
    name="leaky", parameters=Leaky, states=("x",), coupled=("x",), drift=drift, driven=(("x", 0),), diffusion=diffusion,
    observables={"rate": Observable(rate, "Hz", 100.0)}, transient=1.0,
)
'''


@pytest.fixture
def leaky(tmp_path):
    path = tmp_path / "leaky.py"
    path.write_text(MODEL)
    return path


def mean_rate(model, **parameters):
    parameters = {"sigma": 0.0, **parameters}
    activity = fi.simulate_activity(tiny_subject(), model=model, duration=2.0, parameters=parameters)
    return float(activity.tap("rate").samples.mean())


def test_a_model_in_a_file_of_its_own_passes_the_contract(leaky):
    check_model(str(leaky))


def test_an_edited_file_gives_new_numbers_at_once(leaky):
    before = mean_rate(leaky)
    leaky.write_text(MODEL.replace("LEVEL = 2.0", "LEVEL = 4.0"))
    assert mean_rate(leaky) == pytest.approx(2 * before, rel=1e-6)
    leaky.write_text(MODEL.replace("0.001 * coupled_x", "0.0 * coupled_x"))
    assert mean_rate(leaky) == pytest.approx(2.0, rel=1e-6)
    leaky.write_text(MODEL)
    assert mean_rate(leaky) == before


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("math.exp(-x * x)", "np.exp(-x)", "np"),
        ("return max(x, 0.0)", "return open(x)", "open"),
        ("SCALE = (LEVEL, 3.0)", "SCALE = (LEVEL, len(math.__name__), id(math))", "id"),
    ],
)
def test_names_from_elsewhere_are_refused_by_name(leaky, old, new, named):
    leaky.write_text(MODEL.replace(old, new))
    with pytest.raises(ModelError, match=f"uses '{named}'"):
        mean_rate(leaky)


def test_an_argument_nobody_provides_gets_the_nearest_name(leaky):
    leaky.write_text(MODEL.replace("coupled_x", "coupled_y"))
    with pytest.raises(
        ModelError, match="asks for 'coupled_y', which is no state or parameter; did you mean 'coupled_x'"
    ):
        mean_rate(leaky)


def test_a_file_without_a_model_and_a_missing_file_are_named(tmp_path):
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(ModelError, match="defines no MODEL"):
        mean_rate(tmp_path / "empty.py")
    with pytest.raises(InputError, match="no file"):
        mean_rate(tmp_path / "none.py")


def test_parameters_of_an_own_model_are_checked(leaky):
    with pytest.raises(ParameterError, match=r"`leaky.tau`: 50 s is outside \[0.01, 1\]; did you mean 0.05"):
        mean_rate(leaky, tau=50.0)


def test_kernels_live_where_the_environment_says(tmp_path, monkeypatch):
    kernels.cache_folder.cache_clear()
    monkeypatch.setenv("FAKEIMAGING_CACHE", str(tmp_path))
    try:
        assert kernels.cache_folder() == tmp_path / "kernels"
        (tmp_path / "file").write_text("")
        kernels.cache_folder.cache_clear()
        monkeypatch.setenv("FAKEIMAGING_CACHE", str(tmp_path / "file"))
        assert kernels.cache_folder().is_dir()
    finally:
        kernels.cache_folder.cache_clear()


def test_a_compiled_function_is_the_plain_one():
    from fakeimaging.activity.models import dmf

    fast = kernels.compiled(dmf.response)
    for current in (0.0, 0.3, 125 / 310, 125 / 310 + 1e-9, 0.5):
        assert fast(current, 310.0, 125.0, 0.16) == pytest.approx(dmf.response(current, 310.0, 125.0, 0.16), rel=1e-12)
    assert math.isclose(fast(125 / 310, 310.0, 125.0, 0.16), 1 / 0.16)


def test_the_slow_generator_gives_the_published_numbers():
    slow = Xoshiro256pp([1, 2, 3, 4])
    assert [slow.next() for _ in range(4)] == [41943041, 58720359, 3588806011781223, 3591011842654386]


@pytest.mark.parametrize("name", ["dmf", "linear"])
def test_our_own_models_are_files_like_any_other(name, tmp_path):
    source = Path(fi.__file__).parent / "activity/models" / f"{name}.py"
    (tmp_path / "copy.py").write_text(source.read_text())
    own = fi.simulate_activity(tiny_subject(), model=tmp_path / "copy.py", duration=1.0)
    ours = fi.simulate_activity(tiny_subject(), model=name, duration=1.0)
    assert (own.tap("rate").samples == ours.tap("rate").samples).all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("def rate(x):", "def rate(x:", r"leaky.py, line \d+ cannot be loaded"),
        ("import math", "import no_such_package", "cannot be loaded: No module named"),
        ("transient=1.0", "transiant=1.0", "cannot be loaded: .*unexpected keyword argument 'transiant'"),
        ("coupled_x) / tau,)", "coupled_x) / tau, 0.0)", "`drift` returns 2 numbers, and 1 are needed"),
        ("return (sigma,)", "return sigma", "`diffusion` returns 0.0, not a tuple of numbers"),
        ("return max(x, 0.0)", "return (x,)", r"`rate` returns \(0.0,\), not a number"),
        ("return max(x, 0.0)", "return max(x)", r"`rate`, line \d+: `max\(x\)` cannot be done"),
        ("return max(x, 0.0)", "return max(x, math.gcd(x, 2.0))", "`rate`, line .*: `math.gcd` is not among"),
        ("return max(x, 0.0)", "return max(x, SCALE[5])", "`rate` fails: IndexError"),
        ("return max(x, 0.0)", "max(x, 0.0)", r"`rate`, line \d+: returns nothing"),
        ("return max(x, 0.0)", "max(x, 0.0)\n    return x", r"`max\(x, 0.0\)` stands alone"),
        ("return (sigma,)", "return [sigma]", r"`return \[sigma\]` returns a list; return a tuple"),
        ("return max(x, 0.0)", "return np.sin(x)", r"\(leaky.py, line 29\): use `math.sin` for `np.sin`"),
        ("SCALE = (LEVEL, 3.0)", "SCALE = [2.0, 3.0]", r"`SCALE = \[2.0, 3.0\]`: use a tuple"),
        (
            "Observable(rate,",
            "Observable(lambda x: x,",
            "'<lambda>' is no function at the top of leaky.py; write it there, as a `def`",
        ),
        ("transient=1.0", "decays={'x': 20.0}", "`decays`: x decays at 20.0; name a parameter"),
        ("transient=1.0", "limits={'x': (3.0, -3.0)}", r"`limits`: x within \(3.0, -3.0\); give \(low, high\)"),
        (
            'driven=(("x", 0),)',
            'driven=("x",)',
            "`driven` holds pairs of a state and the number of its noise, .*, not 'x'",
        ),
    ],
)
def test_mistakes_in_a_model_file_are_named(leaky, old, new, message):
    assert old in MODEL
    leaky.write_text(MODEL.replace(old, new))
    with pytest.raises(ModelError, match=message):
        mean_rate(leaky)


def test_a_broken_power_of_a_negative_number_is_told_with_the_values_at_the_start(leaky):
    for power in ("(x - 1.0) ** 1.5", "max((x - 1.0) ** 1.5, 0.0)"):
        leaky.write_text(MODEL.replace("return max(x, 0.0)", f"return {power}"))
        with pytest.raises(
            ModelError, match="`rate` takes a negative number to a power that is not whole; at the start x = 0"
        ):
            mean_rate(leaky)
    leaky.write_text(MODEL.replace("target(x) - x", "target(x) - x ** 1.5"))  # no slope at 0, where it starts
    assert mean_rate(leaky) == pytest.approx(2.0 ** (2 / 3), rel=1e-2)


def test_what_is_compiled_is_said(leaky, capsys):
    leaky.write_text(MODEL.replace("LEVEL = 2.0", f"LEVEL = {2.0 + time.time_ns() % 1_000_000_007 * 1e-12}"))
    fi.simulate_activity(tiny_subject(), model=leaky, duration=1.0, scheme="heun", precision="float32", noise_time=0.01)
    said = capsys.readouterr().err
    assert "compiling leaky (heun, float32, with delays, coloured noise), once on this machine" in said
