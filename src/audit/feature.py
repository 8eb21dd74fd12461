"""The audit log."""

from src.audit import personal_data
from src.features import Feature

FEATURE = Feature(personal_data=personal_data.PERSONAL_DATA)
