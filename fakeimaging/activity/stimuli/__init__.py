"""Stimuli: currents into chosen regions, each condition one course in time (or one a region) times a gain for each region.

    stimulus_i(t) = sum_c gain_c,i course_c(t),   course_c(t) = sum_k shape_c(t - t_k - latency)

Onsets t_k are what the participant sees; the current arrives a latency later. Courses are made block by block, never for a
whole run, and are the same bits however a run is cut into blocks. `condition` says what a condition is, `design` lays out trials
(`orders`, `efficiency`), `events_file` reads them, `presented` puts both together; `shapes` holds the courses in closed form, `noise`
the random ones, `recorded` those from files, `stimulus` a run's together; `imposed` is what reaches BOLD without any current.
`sources` are sources of current that reach electric and magnetic recordings alone (`source_spec`, `waveforms`, `ongoing`).
"""

from fakeimaging.activity.stimuli.condition import Condition, Event, events_of, shortened
from fakeimaging.activity.stimuli.design import Design, lay_out
from fakeimaging.activity.stimuli.efficiency import efficiency
from fakeimaging.activity.stimuli.imposed import Imposed, imposed_of
from fakeimaging.activity.stimuli.presented import presented
from fakeimaging.activity.stimuli.source_spec import SourceSpec
from fakeimaging.activity.stimuli.sources import ImposedSource, imposed_sources, source_problems
from fakeimaging.activity.stimuli.stimulus import Stimulus, make_stimulus, selection_problems

__all__ = [
    "Condition",
    "Design",
    "Event",
    "Imposed",
    "ImposedSource",
    "SourceSpec",
    "Stimulus",
    "efficiency",
    "events_of",
    "imposed_of",
    "imposed_sources",
    "lay_out",
    "make_stimulus",
    "presented",
    "selection_problems",
    "shortened",
    "source_problems",
]
