"""What is held about a user: the keys of their requests."""

from src.access.permissions import OWN_READS
from src.idempotency.models import IdempotencyRecord
from src.personal_data import rows_of
from src.sql.shapes import Shape

PERSONAL_DATA = [
    rows_of(
        "idempotency_keys",
        IdempotencyRecord.user_id,
        Shape({"key": IdempotencyRecord.key, "created_at": IdempotencyRecord.created_at}),
        IdempotencyRecord.key,
        scopes=OWN_READS,
    )
]
