"""A Recording: what one instrument saw, layer by layer, made when asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.activity import Activity
from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference, collect
from fakeimaging.core.errors import InputError, UnknownNameError, did_you_mean
from fakeimaging.core.streams import Streams
from fakeimaging.modalities.layers import Companion, Extra, Forward, Recipe, Series, Stage, Sum, Term, dense
from fakeimaging.modalities.modality import Modality
from fakeimaging.structure.subject import Subject

if TYPE_CHECKING:
    import mne
    import pandas


@dataclass(frozen=True, eq=False, repr=False)
class Recording:
    """What one instrument saw.

    Parameters
    ----------
    modality : Modality
    parameters : Parameters
    streams : Streams
        Place in the tree of random streams.
    forward : Forward
    source : (Subject, Activity or None)
        What was imaged.
    off : frozenset of str
        Stages that are switched off.
    """

    modality: Modality
    parameters: Any
    streams: Streams
    forward: Forward
    source: tuple[Subject, Activity | None]
    off: frozenset[str] = frozenset()
    _recipes: dict[str, Recipe] = field(default_factory=dict, repr=False)
    _states: dict[tuple[str, int], Any] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        return f"Recording({'/'.join(self.streams.path)}: {self.clean.shape}, stages {', '.join(self.stages) or 'off'})"

    @property
    def clean(self) -> Any:
        """The signal without any stage: an Image or a Series."""
        return self.forward.clean

    @property
    def observed(self) -> Any:
        """The signal after every stage that is on."""
        return self._upto(len(self.modality.observe))

    @property
    def truth(self) -> dict[str, npt.NDArray]:
        """What only the simulator knows, by name."""
        return dict(self.forward.truth)

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages that are on, in order."""
        return tuple(stage.name for stage in self.modality.observe if stage.name not in self.off)

    @property
    def references(self) -> tuple[Reference, ...]:
        """The papers behind this recording."""
        return collect(self.modality.cites(self.parameters))

    @property
    def parts(self) -> tuple[Recording, ...]:
        """The recordings of one scan that is stored as several files, such as its echoes; itself alone, mostly."""
        subject, activity = self.source
        return tuple(
            self if part.items() <= self.parameters.model_dump().items() else self._other(part, subject, activity)
            for part in self.modality.parts(self.parameters)
        )

    @property
    def extras(self) -> tuple[Extra, ...]:
        """The images that are stored beside it, such as field maps."""
        return tuple(self.modality.extras(self))

    @property
    def companions(self) -> tuple[Companion, ...]:
        """The tables beside it: those of the forward model with what the stages that are on say in them."""
        told = self.forward.companions
        for stage in self.modality.observe:
            if stage.tell is not None and stage.name not in self.off:
                told = stage.tell(told, self.forward, self.recipe(stage.name))
        return told

    @property
    def bad_channels(self) -> tuple[str, ...]:
        """Names of the channels that the table beside a series calls bad."""
        tables = [table for table in self.companions if table.name == "channels" and "status" in table.columns]
        if not tables:
            return ()
        name, status = (tables[0].columns.index(column) for column in ("name", "status"))
        return tuple(str(row[name]) for row in tables[0].rows if row[status] == "bad")

    def _other(self, part: Mapping[str, Any], subject: Subject, activity: Activity | None) -> Recording:
        parameters = self.parameters.model_copy(update=part)
        forward = self.modality.forward(subject, activity, parameters)
        return replace(self, parameters=parameters, forward=forward, _recipes={}, _states={})

    def recipe(self, name: str) -> Recipe:
        """Return parameters and draws of a stage, the same whether it is on or off."""
        if name not in self._recipes:
            stage = self._stage(name)
            rng = self._streams(stage).at("recipe").rng()
            drawn = stage.draw(self.forward, self.parameters, rng=rng)
            self._recipes[name] = {k: frozen(v) if isinstance(v, np.ndarray) else v for k, v in drawn.items()}
        return self._recipes[name]

    def layer(self, name: str) -> Any:
        """Return the term that an additive stage adds, complex where it is."""
        stage = self._stage(name)
        if stage.kind != "additive":
            raise InputError(
                f"stage '{name}' changes the signal and adds no term: see before('{name}') and after('{name}')",
                value=name,
            )
        return self.clean.made_by(partial(self._dense, stage))

    def before(self, name: str) -> Any:
        """Return the signal that reaches a stage."""
        return self._upto(self.modality.observe.index(self._stage(name)))

    def after(self, name: str) -> Any:
        """Return the signal that leaves a stage."""
        return self._upto(self.modality.observe.index(self._stage(name)) + 1)

    def to_mne(self) -> mne.io.RawArray:
        """Return the observed series as raw data of MNE-Python, with its sensors, bad channels and annotations.

        Raises
        ------
        InputError
            If the recording is an image.
        """
        from fakeimaging.modalities.electro.to_mne import series_to_mne

        self._needs_channels()
        return series_to_mne(self)

    def to_mne_forward(self) -> mne.Forward:
        """Return the true field of the sensors as a fixed-orientation forward solution of MNE-Python; raises as `to_mne`."""
        from fakeimaging.modalities.electro.to_mne import to_mne_forward

        self._needs_channels()
        return to_mne_forward(self)

    def to_mne_sources(self, start: float = 0.0, stop: float | None = None) -> mne.SourceEstimate:
        """Return the true moment of each vertex of the cortex (Am) from ``start`` to ``stop`` (s); raises as `to_mne`."""
        from fakeimaging.modalities.electro.to_mne import to_mne_sources

        self._needs_channels()
        return to_mne_sources(self, start, stop)

    def to_mne_events(self) -> tuple[npt.NDArray[np.int64], dict[str, int], pandas.DataFrame]:
        """Return events, their codes and a table of metadata as `mne.Epochs` takes them; raises as `to_mne`."""
        from fakeimaging.modalities.electro.to_mne import to_mne_events

        self._needs_channels()
        return to_mne_events(self)

    def _needs_channels(self) -> None:
        if not isinstance(self.clean, Series):
            raise InputError(f"{self.modality.name} is an image; observed.to_nifti() gives it to other tools")

    def _stage(self, name: str) -> Stage:
        names = {stage.name: stage for stage in self.modality.observe}
        if name not in names:
            raise UnknownNameError(f"{self.modality.name} has no stage '{name}'{did_you_mean(name, names)}", value=name)
        return names[name]

    def _upto(self, n_stages: int) -> Any:
        return self.clean.made_by(partial(self._make, n_stages))

    def _term(self, stage: Stage, v: int) -> Term | None:
        term: Term | None = stage.act(self.forward, self.recipe(stage.name), v, rng=self._rng(stage, v))
        return term

    def _dense(self, stage: Stage, v: int) -> npt.NDArray:
        return dense(self._term(stage, v), self.clean, v)

    def _rng(self, stage: Stage, v: int) -> Any:
        if not stage.noisy:
            return None
        streams = self._streams(stage)
        return (lambda w: streams.at(f"volume-{w}").rng()) if stage.any_part else streams.at(f"volume-{v}").rng()

    def _streams(self, stage: Stage) -> Streams:
        own = self.modality.part_of(self.parameters).items() if stage.of_part else ()
        return self.streams.at(*(f"{entity}-{label}" for entity, label in own), stage.name)

    def _make(self, n_stages: int, v: int) -> npt.NDArray:
        total = Sum(self.clean.make(v))
        for stage in self.modality.observe[:n_stages]:
            if stage.name in self.off:
                continue
            if stage.kind == "additive":
                total.add(self._term(stage, v))
            elif stage.kind == "filter":
                total = Sum(self._filtered(stage, total.total(), v))
            else:
                signal = stage.act(total.total(), self.forward, self.recipe(stage.name), v, rng=self._rng(stage, v))
                total = Sum(signal)
        made: npt.NDArray = total.total()
        return made

    def _filtered(self, stage: Stage, signal: npt.NDArray, v: int) -> npt.NDArray:
        """Pass a part through a filter, whose state the parts before it made; those are made now if nobody asked for them."""
        known = max((w for name, w in self._states if name == stage.name and w <= v), default=0)
        for before in range(known, v):
            self._make(self.modality.observe.index(stage) + 1, before)
        state = self._states.get((stage.name, v))
        result, after = stage.act(
            signal, self.forward, self.recipe(stage.name), v, rng=self._rng(stage, v), state=state
        )
        self._states[stage.name, v + 1] = after
        return np.asarray(result)
