"""Repeated requests get the first answer again."""

from src.features import Feature
from src.idempotency import personal_data, tasks

FEATURE = Feature(schedules=tasks.SCHEDULES, personal_data=personal_data.PERSONAL_DATA)
