"""Events: what happened, for features that want to know."""

from src.events import personal_data, tasks
from src.features import Feature

FEATURE = Feature(schedules=tasks.SCHEDULES, personal_data=personal_data.PERSONAL_DATA)
