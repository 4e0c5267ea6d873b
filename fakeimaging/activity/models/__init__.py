"""Neural mass models, one file each; `MODELS` finds them by name, `as_model` also takes a file of your own."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

from fakeimaging.activity.model import Model
from fakeimaging.core.errors import InputError, ModelError
from fakeimaging.core.registry import Registry

MODELS: Registry[Model] = Registry(
    "model",
    "fakeimaging.models",
    {
        "deco2014": "fakeimaging.activity.models.deco2014:MODEL",
        "dmf": "fakeimaging.activity.models.dmf:MODEL",
        "epileptor": "fakeimaging.activity.models.epileptor:MODEL",
        "fitzhugh_nagumo": "fakeimaging.activity.models.fitzhugh_nagumo:MODEL",
        "hopfield": "fakeimaging.activity.models.hopfield:MODEL",
        "jansen_rit": "fakeimaging.activity.models.jansen_rit:MODEL",
        "kuramoto": "fakeimaging.activity.models.kuramoto:MODEL",
        "linear": "fakeimaging.activity.models.linear:MODEL",
        "montbrio_pazo_roxin": "fakeimaging.activity.models.montbrio_pazo_roxin:MODEL",
        "netsim": "fakeimaging.activity.models.netsim:MODEL",
        "reduced_wong_wang": "fakeimaging.activity.models.reduced_wong_wang:MODEL",
        "stuart_landau": "fakeimaging.activity.models.stuart_landau:MODEL",
        "wilson_cowan": "fakeimaging.activity.models.wilson_cowan:MODEL",
    },
)


def as_model(model: str | Path | Model) -> Model:
    """Return a model from its registered name, a Python file that defines ``MODEL``, or itself.

    A file is read anew each time, so an edit shows at once.
    """
    if isinstance(model, Model):
        return model
    if isinstance(model, Path) or model.endswith(".py"):
        return _from_file(Path(model))
    return MODELS.get(model)


def _from_file(path: Path) -> Model:
    if not path.is_file():
        raise InputError(f"`model`: no file {path}", value=path)
    module = ModuleType(f"fakeimaging_model_file_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look their module up while they are made
    try:
        exec(compile(path.read_text(), str(path.resolve()), "exec", dont_inherit=True), module.__dict__)
    except (SyntaxError, ImportError, NameError, AttributeError, TypeError, ValueError) as error:
        where = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ModelError(f"{path}{where} cannot be loaded: {error}", value=path) from error
    found = getattr(module, "MODEL", None)
    if not isinstance(found, Model):
        raise ModelError(f"{path} defines no MODEL of type fakeimaging.Model", value=path)
    return found
