"""What travels about one's data."""

from src.auth.schemas import Password
from src.schemas import Input


class AccountDelete(Input):
    """The password again, since what is deleted does not come back."""

    current_password: Password
