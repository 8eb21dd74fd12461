"""`create-admin` on the command line."""

from typing import Annotated

import typer

from src.commands import ADMINISTRATION, in_transaction, notes, valid

commands = typer.Typer()


def _username(text: str) -> str:
    from src.users.schemas import Username

    return valid(Username, text, "a username is 3 to 32 letters a-z, digits, _ and -")


@commands.command(
    "create-admin",
    rich_help_panel=ADMINISTRATION,
    epilog=notes(
        "python -m src create-admin ada@example.com",
        "python -m src create-admin ada@example.com --username ada < password.txt",
        settings="DATABASE_URL, BCRYPT_ROUNDS, PASSWORD_MIN_LENGTH, BREACHED_PASSWORDS_URL",
    ),
)
def create(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Where they get their mail.")],
    username: Annotated[
        str | None,
        typer.Option(metavar="NAME", parser=_username, help="Of a new user; made up if left out."),
    ] = None,
) -> None:
    """Make an administrator: a new user, or the one who has the address.

    A new one's password is asked for, at a terminal twice and not shown; a script
    gives it as a line of standard input. Whoever has a confirmed account has the
    role from the next sign-in.
    """
    from src.administration.create_admin import create_admin

    typer.echo(
        in_transaction(
            lambda session, settings, clock: create_admin(
                session, settings, clock, email=email, username=username
            )
        )
    )
