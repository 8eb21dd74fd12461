"""What the tables of users hold about one: of a username given up, only how long it is held."""

from src.personal_data import rows_of
from src.sql.shapes import Shape
from src.users.models import HeldUsername, User

_ACCOUNT = Shape(
    {
        "id": User.id,
        "email": User.email,
        "email_verified_at": User.email_verified_at,
        "email_undeliverable_at": User.email_undeliverable_at,
        "username": User.username,
        "requested_username": User.requested_username,
        "display_name": User.display_name,
        "bio": User.bio,
        "locale": User.locale,
        "is_active": User.is_active,
        "roles": User.roles,
        "mfa_enabled": User.mfa_enabled,
        "last_sign_in_at": User.last_sign_in_at,
        "posts_count": User.posts_count,
        "version": User.version,
        "created_at": User.created_at,
        "updated_at": User.updated_at,
    }
)

_HELD_USERNAME = Shape({"held_until": HeldUsername.held_until})

PERSONAL_DATA = [
    rows_of("account", User.id, _ACCOUNT, User.id, scopes={"profile:read"}),
    rows_of(
        "held_usernames",
        HeldUsername.user_id,
        _HELD_USERNAME,
        HeldUsername.digest,
        scopes={"profile:read"},
    ),
]
