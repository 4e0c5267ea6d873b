"""The lines of one step of a model (`emit` has the equations): stages of the scheme, what arrives, noise, states, what is sent."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fakeimaging.activity.model import Model, Rotation, Scheme


@dataclass(frozen=True)
class Variant:
    """Which loop is written.

    Parameters
    ----------
    scheme : {"euler", "heun", "rk4"}
    delayed : bool
        Whether anything arrives later than it is sent.
    side_by_side : bool
        Several simulations with the same weights, without delays.
    mirrored : bool
        Weights that are the same both ways but for a factor of the target, without delays, read once.
    coloured : bool
        Whether the noise has a time constant.
    """

    scheme: Scheme = "euler"
    delayed: bool = False
    side_by_side: bool = False
    mirrored: bool = False
    coloured: bool = False

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Its stages."""
        return STAGES[self.scheme]


@dataclass(frozen=True)
class Stage:
    """One evaluation of the drift: when, its weight, and how far it leads to the next one's states (with noise or without)."""

    time: float
    weight: float
    ahead: float = 0.0
    noisy: bool = False


STAGES: dict[Scheme, tuple[Stage, ...]] = {
    "euler": (Stage(0, 1),),
    "heun": (Stage(0, 1 / 2, 1, noisy=True), Stage(1, 1 / 2)),
    "rk4": (Stage(0, 1 / 6, 1 / 2), Stage(1 / 2, 1 / 3, 1 / 2), Stage(1 / 2, 1 / 3, 1), Stage(1, 1 / 6)),
}


def _call(function: Callable[..., Any], before: str = "its_") -> str:
    return f"own_{function.__name__}({', '.join(before + name for name in inspect.signature(function).parameters)})"


@dataclass(frozen=True)
class Loop:
    """Writes the lines of one step; what the model names is called ``its_<name>`` there."""

    model: Model
    names: tuple[str, ...]
    variant: Variant

    def stage(self, k: int) -> list[str]:
        """Lines of one evaluation of the drift, of all regions."""
        inner = [
            *self._states("guess" if k else "state"),
            *self._inputs(),
            *(self._taps() if k == 0 else []),
            f"drifts = {_call(self.model.drift)}",
            *(self._noise() if k == 0 else []),
            *self._slopes(),
            *(self._single() if len(self.variant.stages) == 1 else self._several(k)),
        ]
        loop = ["for i in range(0, n_cells, lane):", *(f"    {line}" for line in inner)]
        return [*self._receive(k), *self._stimuli(self.variant.stages[k].time), *loop]

    @property
    def _n(self) -> int:
        return len(self.model.signals)

    @property
    def _several_stages(self) -> bool:
        return len(self.variant.stages) > 1

    def scratch(self) -> list[str]:
        """Lines that name the parts of wires and past, and make room for the stages."""
        lines = []
        if self._several_stages:
            rows = f"np.zeros(({len(self.model.states)}, room), state.dtype)"
            lines += [f"{name} = {rows}" for name in ("guess", "slopes", "pushes")]
            lines += [f"{name} = np.zeros_like(received)" for name in ("earlier", "later", "later_sent")]
        if self._n == 0:
            return lines
        short = "short_target, source, weight, lag, now_target, now_source, now_weight = wires"
        if not self.variant.delayed:
            return [*lines, "(packed, factor, partial) = wires" if self.variant.mirrored else "(packed,) = wires"]
        lines += [f"place, long_weight, target, {short}", "history, summed, summed_ahead, shape = past"]
        return [*lines, "apart, mirror, stride = shape", "rows = 2 * lane"]

    def memory(self) -> list[str]:
        """Lines after a step that move what was sent from the recent rows to the history."""
        if not self.variant.delayed:
            return []
        call = f"remember(sent, now - offset, history, head, apart, mirror, n, {self._n}, room, stride)"
        return ["if offset == lane - 1:", f"    {call}"]

    def _receive(self, k: int) -> list[str]:
        """Lines that fill ``received`` for a stage."""
        if self._n == 0:
            return []
        if not self.variant.delayed:
            return self._receive_now("later_sent" if k else "sent", held=k == 0)
        if not self._several_stages:
            delayed = self._delayed("received", "now", "summed")
            return [*self._long(), "if now % hold == 0:", *(f"    {line}" for line in delayed)]
        return self._receive_stage(k)

    def _receive_now(self, array: str, *, held: bool) -> list[str]:
        call = "weigh(packed, {0}, {1} * room, received, {1} * room, n, room, now // hold)"
        if self.variant.mirrored:
            call = "weigh_mirrored(packed, factor, partial, {0}, {1} * room, received, {1} * room, n, room)"
        elif self.variant.side_by_side:
            call = "weigh_side_by_side(packed, {0}, {1} * room, received, {1} * room, n, n_sims)"
        lines = [call.format(array, c) for c in range(self._n)]
        return ["if now % hold == 0:", *(f"    {line}" for line in lines)] if held else lines

    def _receive_stage(self, k: int) -> list[str]:
        """Delayed coupling where there are several stages: before the step, after it, or halfway, plus what has no delay."""
        time = self.variant.stages[k].time
        start = f"(now % rows) * {self._n} * room"
        array, first = ("sent", start) if k == 0 else ("later_sent", "0")
        edges = "now_target, now_source, now_weight"
        at_once = f"add_now({array}, {first}, {edges}, received, {self._n}, room)"
        lines = []
        if k == 0:
            lines = [*self._long(), *self._delayed("earlier", "now", "summed")]
            lines += self._delayed("later", "now + 1", "summed_ahead")
        return [*lines, f"received[:] = {1 - time} * earlier + {time} * later", at_once]

    def _long(self) -> list[str]:
        """Lines that sum the long delays for the steps to come, once a register of steps."""
        call = "gather_long(history, place, long_weight, target, {head}, {summed}, n, {n}, apart)"
        lines = ["if offset == 0 or now == done:", "    " + call.format(head="head", summed="summed", n=self._n)]
        if self._several_stages:
            lines.append("    " + call.format(head="head + 1", summed="summed_ahead", n=self._n))
        return ["offset = now % lane", "head = (now - offset) % mirror", *lines]

    def _delayed(self, out: str, when: str, summed: str) -> list[str]:
        edges = "short_target, source, weight, lag"
        return [
            f"take_step({summed}, offset, {out}, n, {self._n}, room)",
            f"add_short(sent, {when}, {edges}, {out}, {self._n}, room)",
        ]

    def _stimuli(self, time: float) -> list[str]:
        """Lines that fill ``stimuli`` at a time between this step and the next."""
        if not self.model.takes_stimulus:
            return []
        course = "course[k, now - done]"
        if time:
            course = f"{1 - time} * course[k, now - done] + {time} * course[k, now - done + 1]"
        return [
            "if len(gain) > 0:",
            "    stimuli[:] = 0.0",
            "    for k in range(len(gain)):",
            f"        strength = {course}",
            "        if strength != 0.0:",
            "            for i in range(0, n_cells, lane):",
            "                store(stimuli, i, load(stimuli, i) + load(gain, k * room + i) * strength)",
        ]

    def _states(self, rows: str) -> list[str]:
        return [f"its_{name} = load({rows}, {row} * room + i)" for row, name in enumerate(self.model.states)]

    def _inputs(self) -> list[str]:
        lines = [f"its_coupled_{name} = load(received, {c} * room + i)" for c, name in enumerate(self.model.signals)]
        lines += [f"its_{name} = load(params, {row} * room + i)" for row, name in enumerate(self.names)]
        return lines + (["its_stimulus = load(stimuli, i)"] if self.model.takes_stimulus else [])

    def _taps(self) -> list[str]:
        taps = enumerate(self.model.observables.values())
        return [f"store(sums, {k} * room + i, load(sums, {k} * room + i) + {_call(tap.function)})" for k, tap in taps]

    def _noise(self) -> list[str]:
        """Lines that draw the noise of a step: ``dW_<process>``, and ``push_<k>``, what it adds to driven state k."""
        model = self.model
        lines: list[str] = []
        if model.diffusion is None:
            return lines
        for w in range(0, model.n_noises - 1, 2):
            lines.append(f"z_{w}, z_{w + 1} = normal_pair(words, i, room)")
        if model.n_noises % 2:
            lines += self._odd(model.n_noises - 1)
        for w in range(model.n_noises):
            lines += self._coloured(w) if self.variant.coloured else [f"dW_{w} = z_{w} * root_step"]
        lines.append(f"amplitudes = {_call(model.diffusion)}")
        if model.calculus == "stratonovich" and not self.variant.coloured:
            lines += self._middle_amplitudes()
        return [*lines, *(f"push_{k} = amplitudes[{k}] * dW_{w}" for k, (_, w) in enumerate(model.driven))]

    def _odd(self, last: int) -> list[str]:
        """Of an odd number of normals the last is one half of a pair, the other half is the next step's."""
        draw = [f"z_{last}, other = normal_pair(words, i, room)", "store(spare, i, other)"]
        lines = ["if now % 2 == 0:", *(f"    {line}" for line in draw)]
        return [*lines, "else:", f"    z_{last} = load(spare, i)"]

    def _coloured(self, w: int) -> list[str]:
        row = f"{w} * room + i"
        filtered = f"store(colour, {row}, load(colour, {row}) * tint[0] + z_{w} * tint[1])"
        return [f"dW_{w} = load(colour, {row}) * step", filtered]

    def _middle_amplitudes(self) -> list[str]:
        """Lines that replace the amplitudes by their mean with those at the states the noise alone leads to."""
        lines = [f"mid_{name} = its_{name}" for name in inspect.signature(self.model.diffusion).parameters]  # type: ignore[arg-type]
        for k, (state, w) in enumerate(self.model.driven):
            if f"mid_{state} = its_{state}" in lines:
                lines.append(f"mid_{state} = mid_{state} + amplitudes[{k}] * dW_{w}")
        lines.append(f"ends = {_call(self.model.diffusion, 'mid_')}")  # type: ignore[arg-type]
        means = ", ".join(f"0.5 * (amplitudes[{k}] + ends[{k}])" for k in range(len(self.model.driven)))
        return [*lines, f"amplitudes = ({means},)"]

    def _slopes(self) -> list[str]:
        """Lines for ``slope_<row>``: the drift, under heun and rk4 with the linear parts."""
        lines = [f"slope_{row} = drifts[{row}]" for row in range(len(self.model.states))]
        if self.variant.scheme == "euler":
            return lines
        for state, rate in self.model.decays.items():
            lines.append(f"slope_{self._row(state)} = slope_{self._row(state)} - its_{rate} * its_{state}")
        for p in self.model.rotating:
            x, y = self._row(p.real), self._row(p.imaginary)
            grows = (f"its_{p.growth} * its_{p.real}", f"its_{p.growth} * its_{p.imaginary}")
            lines.append(f"slope_{x} = slope_{x} + {grows[0]} - its_{p.frequency} * its_{p.imaginary}")
            lines.append(f"slope_{y} = slope_{y} + {grows[1]} + its_{p.frequency} * its_{p.real}")
        return lines

    def _row(self, state: str) -> int:
        return self.model.states.index(state)

    def _pushes(self, state: str) -> list[str]:
        return [f"push_{k}" for k, (driven, _) in enumerate(self.model.driven) if driven == state]

    def _single(self) -> list[str]:
        """Lines that take the states one Euler step on."""
        lines = [line for pair, rotation in enumerate(self.model.rotating) for line in self._turn(pair, rotation)]
        turned = {state: pair for pair, rotation in enumerate(self.model.rotating) for state in rotation.states}
        decays = list(self.model.decays)
        for row, state in enumerate(self.model.states):
            pushes = self._pushes(state)
            if state in turned:
                shaken = f"load(exact, {4 * turned[state] + 2} * room + i)"
                terms = [f"its_{state}", *(f"{push} * {shaken}" for push in pushes)]
            elif state in decays:
                base = 4 * len(self.model.rotating) + 3 * decays.index(state)
                kept, grown, shaken = (f"load(exact, {base + k} * room + i)" for k in range(3))
                terms = [f"its_{state} * {kept}", f"slope_{row} * {grown}", *(f"{push} * {shaken}" for push in pushes)]
            else:
                terms = [f"its_{state}", f"slope_{row} * step", *pushes]
            lines.append(f"new_{row} = {' + '.join(terms)}")
        return [*lines, *self._settle()]

    def _turn(self, pair: int, rotation: Rotation) -> list[str]:
        """Lines that take a rotating pair one step on, its noise apart."""
        x, y = f"its_{rotation.real}", f"its_{rotation.imaginary}"
        grown = f"load(exact, {4 * pair + 3} * room + i)"
        lines = [f"its_{state} = its_{state} + slope_{self._row(state)} * {grown}" for state in rotation.states]
        lines += [f"cosine, sine = load(exact, {4 * pair} * room + i), load(exact, {4 * pair + 1} * room + i)"]
        return [*lines, f"{x}, {y} = cosine * {x} - sine * {y}, sine * {x} + cosine * {y}"]

    def _several(self, k: int) -> list[str]:
        """Lines that carry slopes and noise from stage to stage, and take the step after the last."""
        stage, last = self.variant.stages[k], k == len(self.variant.stages) - 1
        lines = []
        for row, state in enumerate(self.model.states):
            place = f"{row} * room + i"
            pushes = " + ".join(self._pushes(state))
            whole = f"slope_{row} * {stage.weight!r}" + (f" + load(slopes, {place})" if k else "")
            if pushes and k == 0:
                lines.append(f"store(pushes, {place}, {pushes})")
            if last:
                noise = f" + load(pushes, {place})" if pushes else ""
                lines.append(f"new_{row} = load(state, {place}) + ({whole}) * step{noise}")
                continue
            lines.append(f"store(slopes, {place}, {whole})")
            noise = f" + {pushes}" if pushes and stage.noisy and k == 0 else ""
            lines.append(f"new_{row} = load(state, {place}) + slope_{row} * (step * {stage.ahead!r}){noise}")
        return [*lines, *(self._settle() if last else self._lead())]

    def _lead(self) -> list[str]:
        """Lines that keep the states of the next stage, and what it sends."""
        rows = range(len(self.model.states))
        return [*(f"store(guess, {row} * room + i, new_{row})" for row in rows), *self._send("later_sent", "0")]

    def _settle(self) -> list[str]:
        """Lines that hold states within limits and keep them, and what they send."""
        lines = []
        for row, state in enumerate(self.model.states):
            if state in self.model.limits:
                low, high = (repr(float(end)).replace("inf", "math.inf") for end in self.model.limits[state])
                lines.append(
                    f"new_{row} = select(new_{row} < {low}, {low}, select(new_{row} > {high}, {high}, new_{row}))"
                )
            if state in self.model.angles:
                turns = f"floor(new_{row} * 0.15915494309189535 + 0.5)"
                lines.append(f"new_{row} = new_{row} - 6.283185307179586 * {turns}")
            lines.append(f"store(state, {row} * room + i, new_{row})")
        first = f"((now + 1) % rows) * {self._n} * room" if self.variant.delayed else "0"
        return [*lines, *self._send("sent", first)]

    def _send(self, array: str, first: str) -> list[str]:
        lines: list[str] = []
        for c, state in enumerate(self.model.coupled):
            lines.append(f"store({array}, {first} + {c} * room + i, new_{self._row(state)})")
        if self.model.sent:
            lines += [f"its_{state} = new_{row}" for row, state in enumerate(self.model.states)]
        for c, function in enumerate(self.model.sent.values(), start=len(self.model.coupled)):
            lines.append(f"store({array}, {first} + {c} * room + i, {_call(function)})")
        return lines
