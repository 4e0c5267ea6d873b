"""Stimuli: currents into chosen regions, each condition one course in time (or one a region) times a gain for each region.

    stimulus_i(t) = sum_c gain_c,i course_c(t),   course_c(t) = sum_k shape_c(t - t_k - latency)

Onsets t_k are what the participant sees; the current arrives a latency later. Courses are made block by block, never for a
whole run, and are the same bits however a run is cut into blocks. `condition` says what a condition is, `shapes` holds the
courses in closed form, `noise` the random ones, `recorded` those from files, `stimulus` puts a run's together.
"""

from fakeimaging.activity.stimuli.condition import Condition, Event, events_of, shortened
from fakeimaging.activity.stimuli.stimulus import Stimulus, make_stimulus

__all__ = ["Condition", "Event", "Stimulus", "events_of", "make_stimulus", "shortened"]
