"""What the table of events holds about a user: what they did in the last week."""

from src.access.permissions import OWN_READS
from src.events.models import RecordedEvent
from src.events.reads import EVENT
from src.personal_data import rows_of

PERSONAL_DATA = [
    rows_of("events", RecordedEvent.actor_id, EVENT, RecordedEvent.position, scopes=OWN_READS)
]
