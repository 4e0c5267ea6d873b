"""Several runs in one call: one thread each, or side by side in registers where they share their wires.

Runs without delays whose effective weights are equal differ only in numbers that a register of simulations can hold: they become a
tile, and the sum over sources a product of matrices. All others are simulated one a thread. What a run gives does not depend on
its company: in float64 it has the same bits as alone, for any number of threads, tiles and any order. In float32 neither neighbours
nor place in a tile matter, but the loops alone and side by side are compiled apart, and above 500 regions sum in different orders: they
agree to 1e-5 before chaos grows it. Which of them is taken follows from the runs that are asked for, not from the number of threads.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from fakeimaging.activity import engine
from fakeimaging.activity.activity import Activity, activity_of
from fakeimaging.activity.model import Model
from fakeimaging.activity.models import as_model
from fakeimaging.activity.network import edges_of
from fakeimaging.activity.orders import Order, orders_of, prepared
from fakeimaging.activity.run import PreparedRun
from fakeimaging.activity.simd.sizes import LANES
from fakeimaging.core.errors import InputError, ModelError
from fakeimaging.structure.subject import Subject

TILE_COST = 0.8
"""Time of a full tile over that of its members one by one (measured: 0.6 to 0.9; 0.35 for 1000 regions in float64)."""
Outcome = Activity | ModelError


def simulate_activities(
    subjects: Subject | Sequence[Subject],
    runs: Sequence[Mapping[str, Any]] = ({},),
    *,
    model: str | Path | Model = "dmf",
    jobs: int | None = None,
    progress: Callable[[float, float], None] | None = None,
    **timing: Any,
) -> list[Activity]:
    """Simulate several runs of one subject's network, or of each of several subjects.

    Parameters
    ----------
    subjects : Subject or sequence of Subject
    runs : sequence of mapping
        For each run what differs: ``parameters`` of the model, ``task``, ``run``, ``session``, and fields of `RunParameters`.
    model : str, Path or Model
        As for `simulate_activity`.
    jobs : int, optional
        Threads; as many as there are processors when left out.
    progress : callable, optional
        Called from the threads, one at a time, with the seconds that are recorded so far and those of all runs, warm-up included.
    **timing
        Fields of `RunParameters` that all runs share. Runs with ``delays=False`` and equal effective weights go side by side;
        ``precision="float32"`` is the fastest.

    Returns
    -------
    list of Activity
        For each subject its runs, in the order given; each as `simulate_activity` gives it.

    Raises
    ------
    ParameterError, InputError
        If a parameter, label or number is not allowed.
    ModelError
        If an activity stops being finite; says which.

    Examples
    --------
    >>> from fakeimaging import make_subject
    >>> subject = make_subject("01", seed=1, anatomy="tiny")
    >>> runs = [{"parameters": {"gain": gain}} for gain in (0.2, 0.5, 0.8)]
    >>> activities = simulate_activities(subject, runs, model="linear", duration=2.0, delays=False)
    >>> [activity.parameters.gain for activity in activities]
    [0.2, 0.5, 0.8]
    """
    chosen, threads = as_model(model), threads_of(jobs)
    people = (subjects,) if isinstance(subjects, Subject) else tuple(subjects)
    orders = [order for person in people for order in orders_of(person, runs, chosen, timing)]
    made: dict[int, Activity] = {}
    with closing(simulate_each(orders, chosen, jobs=threads, tell=counter(orders, progress))) as outcomes:
        for number, outcome in outcomes:
            if isinstance(outcome, ModelError):
                raise outcome
            made[number] = outcome
    return [made[number] for number in range(len(orders))]


def threads_of(jobs: int | None) -> int:
    """Return a number of threads: as asked, else the processors this process may use.

    Raises
    ------
    InputError
        If it is not a whole number of at least 1.
    """
    if jobs is None:
        from joblib import cpu_count

        return int(cpu_count())
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise InputError(f"`jobs`: {jobs!r} is not a whole number of at least 1", value=jobs)
    return jobs


def counter(orders: Sequence[Order], progress: Callable[[float, float], None] | None) -> Callable[[float], None]:
    """Return a function of seconds just done that tells ``progress`` the sum, one call at a time."""
    if progress is None:
        return lambda seconds: None
    lock, done, total = threading.Lock(), 0.0, sum(order.seconds for order in orders)

    def tell(seconds: float) -> None:
        nonlocal done
        with lock:
            done += seconds
            progress(done, total)

    return tell


def simulate_each(
    orders: Sequence[Order], model: Model, *, jobs: int, tell: Callable[[float], None] = lambda seconds: None
) -> Generator[tuple[int, Outcome], None, None]:
    """Simulate runs and yield each as it is finished; no more than twice ``jobs`` tiles are held.

    Parameters
    ----------
    orders : sequence of Order
        Runs of one subject stand together, those with equal parameters too.
    model : Model
    jobs : int
        Threads.
    tell : callable
        Called with the simulated seconds of each block, from any thread.

    Yields
    ------
    (int, Activity or ModelError)
        The number of the order, and its activity or why it stopped being finite.

    Raises
    ------
    ModelError
        If a model cannot be set up; says for which run.
    """
    stop = threading.Event()
    tiles = _compiled(_tiles(orders, model, jobs))
    with ThreadPoolExecutor(jobs) as pool:
        try:
            # One more than there are threads, so that none waits while the next is prepared.
            running = {pool.submit(_simulate, tile, stop, tell) for tile in islice(tiles, jobs + 1)}
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {pool.submit(_simulate, tile, stop, tell) for tile in islice(tiles, len(done))}
                for future in done:
                    yield from ((n, _named(outcome, orders[n])) for n, outcome in future.result())
        finally:
            stop.set()


def _named(outcome: Outcome, order: Order) -> Outcome:
    return ModelError(f"{order.where}: {outcome}") if isinstance(outcome, ModelError) else outcome


Tile = Sequence[tuple[int, PreparedRun]]


def _tiles(orders: Sequence[Order], model: Model, jobs: int) -> Iterator[Tile]:
    """Prepare the runs and yield those that are simulated side by side, or alone.

    Where there are enough for every thread, a tile is yielded as soon as it is full.
    """
    groups: dict[str, list[tuple[int, PreparedRun]]] = {}
    for number, ready in prepared(orders, model):
        if number and ready.subject is not orders[number - 1].subject:
            yield from _divided(groups, len(orders), jobs)
        if _delayed(ready):
            yield [(number, ready)]
            continue
        group = groups.setdefault(_shared(ready), [])
        group.append((number, ready))
        if len(group) == _width(ready) and len(orders) >= jobs * len(group):
            yield group.copy()
            group.clear()
    yield from _divided(groups, len(orders), jobs)


def _delayed(ready: PreparedRun) -> bool:
    method, coupling = ready.kernel.method, ready.setup.coupling
    edges = edges_of(coupling, ready.delays, ready.schedule.step, interpolate=method.interpolate)
    return bool(edges.lag.any()) and bool(ready.model.signals)


def _shared(ready: PreparedRun) -> str:
    """Return a name for all that runs side by side have in common: weights, schedule, method, taps, and a stimulus."""
    times = ready.times.model_dump_json(include={"taps", "conditions"})
    stimulus = ready.streams.path if ready.stimulus is not None else ()
    weights = hashlib.blake2b(np.ascontiguousarray(ready.setup.coupling).tobytes()).hexdigest()
    return repr((weights, ready.schedule, ready.kernel.method, times, stimulus))


def _width(ready: PreparedRun) -> int:
    """Simulations in a full tile: two registers of them."""
    return 2 * LANES[ready.kernel.method.precision]


def _divided(groups: dict[str, list[tuple[int, PreparedRun]]], n_orders: int, jobs: int) -> Iterator[Tile]:
    """Yield all that is left, in tiles and alone so that it ends soonest, and empty the groups."""
    for group in groups.values():
        if not group:
            continue
        ready = group[0][1]
        precision, width = ready.kernel.method.precision, _width(ready)
        # In float32 the loops alone and side by side need not agree to the last bit, and what a run gives shall not depend on threads.
        threads = 1 if precision == "float32" else max(1, jobs * len(group) // n_orders)
        cost = width * TILE_COST
        in_tiles = best_tiles(len(group), width, threads, cost) * width
        yield from (group[first : min(first + width, in_tiles)] for first in range(0, min(in_tiles, len(group)), width))
        yield from ([one] for one in group[in_tiles:])
    groups.clear()


def best_tiles(n: int, width: int, threads: int, cost: float) -> int:
    """Return the number of tiles with which ``n`` simulations end soonest, the rest of them alone.

    Parameters
    ----------
    n, width, threads : int
        Simulations, those in a full tile, and threads.
    cost : float
        Time of a tile, full or not, over that of a simulation alone.

    Examples
    --------
    >>> [best_tiles(n, width=8, threads=1, cost=6.4) for n in (1, 6, 7, 8, 9, 17)]
    [0, 0, 1, 1, 1, 2]
    >>> best_tiles(9, width=8, threads=2, cost=6.4)
    0
    """

    def end(tiles: int) -> float:
        alone = max(0, n - tiles * width)
        return max(math.ceil(tiles / threads) * cost, (tiles * cost + alone) / threads, float(alone > 0))

    return min(range(-(-n // width) + 1), key=end)


def _compiled(tiles: Iterator[Tile]) -> Iterator[Tile]:
    """Yield tiles whose loop is compiled: one step of each kind of tile is taken here, not in several threads at once."""
    known = set()
    for tile in tiles:
        ready = tile[0][1]
        kind = (ready.kernel.method, tuple(ready.model.observables), len(tile) > 1, _delayed(ready))
        if kind not in known:
            known.add(kind)
            members = [one.member for _, one in tile]
            # What fails here fails again in its thread, where it is told of.
            with suppress(ModelError):
                engine.begin(members, ready.delays, replace(ready.schedule, n_dropped=1))
        yield tile


class _Stopped(Exception):
    """Nobody waits for the result."""


def _simulate(tile: Tile, stop: threading.Event, tell: Callable[[float], None]) -> list[tuple[int, Outcome]]:
    """Simulate a tile; if one of several stops being finite, each alone, to tell which."""
    done = 0.0

    def count(seconds: float) -> None:
        nonlocal done
        if stop.is_set():
            raise _Stopped
        done += seconds
        tell(seconds)

    try:
        return [
            (n, activity) for (n, _), activity in zip(tile, _side_by_side([r for _, r in tile], count), strict=True)
        ]
    except ModelError as error:
        if len(tile) == 1:
            return [(tile[0][0], error)]
        tell(-done)
        return [outcome for one in tile for outcome in _simulate([one], stop, tell)]


def _side_by_side(runs: Sequence[PreparedRun], count: Callable[[float], None]) -> list[Activity]:
    first = runs[0]
    rooms = [run.room(beside=len(runs)) for run in runs]
    members = [run.member for run in runs]
    engine.run(members, first.delays, first.schedule, rooms, stimulus=first.stimulus, tell=count)
    return [activity_of(run, room) for run, room in zip(runs, rooms, strict=True)]
