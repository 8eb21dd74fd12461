"""`keys` and `clients` on the command line."""

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from src.access.permissions import CLIENT_SCOPES, SCOPES
from src.commands import in_transaction, notes, show, valid

KNOWN_SCOPES = [*CLIENT_SCOPES, *SCOPES]

keys = typer.Typer(name="keys", help="List and rotate the keys that sign access tokens.")
clients = typer.Typer(
    name="clients", help="Manage programs that authenticate themselves with an id and a secret."
)


def _client_name(text: str) -> str:
    from src.auth.clients.registry import MAX_NAME_LENGTH, ClientName

    return valid(ClientName, text, f"a name is one line of 1 to {MAX_NAME_LENGTH} characters")


def _known_scopes(text: str) -> str:
    unknown = [scope for scope in text.split() if scope not in KNOWN_SCOPES]
    if unknown or not text.strip():
        raise typer.BadParameter(f"choose from {', '.join(KNOWN_SCOPES)}")
    return text


@keys.command("list", epilog=notes("python -m src keys list", settings="DATABASE_URL"))
def list_keys() -> None:
    """List the keys, and what each does."""
    from src.auth.tokens.signing_keys import described

    rows = in_transaction(
        lambda session, settings, clock: described(session, settings, clock.now())
    )
    show(["Key", "What it does"], rows, "{}  {}")


@keys.command(
    "rotate",
    epilog=notes(
        "python -m src keys rotate",
        "python -m src keys rotate --revoke-old   # after a leak",
        settings="DATABASE_URL, SECRET_KEY, ACCESS_TOKEN_LIFETIME",
    ),
)
def rotate_keys(
    *,
    at_once: Annotated[
        bool,
        typer.Option(
            "--now",
            help="It signs at once, though caches of the public keys may not have it yet.",
        ),
    ] = False,
    revoke_old: Annotated[
        bool,
        typer.Option(
            "--revoke-old",
            help="The other keys have leaked: "
            "their tokens are refused at once, and the new one signs.",
        ),
    ] = False,
) -> None:
    """Make a new key, which signs ten minutes later.

    Nobody notices: servers need no restart, and tokens of the key before hold
    until they expire.
    """
    from src.auth.tokens.signing_keys import PUBLISHED_BEFORE, RELOAD_AFTER, rotate

    kid = in_transaction(
        lambda session, settings, clock: rotate(
            session, settings, clock.now(), at_once=at_once, revoke_old=revoke_old
        )
    )
    seconds = int(RELOAD_AFTER.total_seconds())
    if revoke_old:
        typer.echo(f"{kid} signs from now on. Within {seconds} seconds, no older token is taken.")
    else:
        when = f"{seconds} seconds" if at_once else f"{PUBLISHED_BEFORE.seconds // 60} minutes"
        typer.echo(f"{kid} signs {when} from now. Older tokens hold until they expire.")


class ScopesInARow(TyperCommand):
    """`--scope A B` is `--scope A --scope B`: options of Typer take one value each."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        spread: list[str] = []
        in_row = False
        for word in args:
            if word.startswith("-"):
                in_row = word == "--scope"
            elif in_row and spread[-1] != "--scope":
                spread.append("--scope")
            spread.append(word)
        return super().parse_args(ctx, spread)


@clients.command(
    "add",
    cls=ScopesInARow,
    epilog=notes(
        'python -m src clients add "Shop" --scope profile:read posts:read',
        'python -m src clients add "Search" --scope tokens:introspect',
        settings="DATABASE_URL",
    ),
)
def add_client(
    name: Annotated[
        str, typer.Argument(metavar="NAME", parser=_client_name, help="What people call it.")
    ],
    scopes: Annotated[
        list[str],
        typer.Option(
            "--scope",
            metavar="SCOPE...",
            parser=_known_scopes,
            autocompletion=lambda: KNOWN_SCOPES,
            help=f"What it may do at most: {', '.join(KNOWN_SCOPES)}.",
        ),
    ],
) -> None:
    """Make a client; its secret is shown only here.

    Removing it and adding another is how it gets a new secret.
    """
    from src.auth.clients.registry import add_client

    client_id, secret = in_transaction(
        lambda session, _, clock: add_client(session, clock.now(), name, " ".join(scopes).split())
    )
    typer.echo(f"client_id={client_id}\nclient_secret={secret}")


@clients.command("list", epilog=notes("python -m src clients list", settings="DATABASE_URL"))
def list_clients() -> None:
    """List the clients."""
    from src.auth.clients.registry import list_clients

    found = in_transaction(lambda session, *_: list_clients(session))
    show(
        ["Id", "Name", "Scopes"],
        [(client.id, client.name, client.scope) for client in found],
        "{}  {}  ({})",
    )


@clients.command(
    "remove",
    epilog=notes(
        "python -m src clients remove 019a5b5c-7d1e-7c3a-9f00-3a5d2c1b0e4f",
        settings="DATABASE_URL",
    ),
)
def remove_client(
    client_id: Annotated[str, typer.Argument(metavar="ID", help="Its id: clients list has it.")],
) -> None:
    """Remove a client and end its sessions."""
    from src.auth.clients.registry import remove_client

    name, ended = in_transaction(
        lambda session, _, clock: remove_client(session, clock.now(), client_id)
    )
    typer.echo(f"{name} is removed, and {ended} of its sessions ended.")
