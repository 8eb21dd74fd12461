"""What the services of accounts have in common."""

from src.auth.security_events import SecurityEvents
from src.auth.tools import AuthTools
from src.http.peer import Peer
from src.sql.session import DatabaseSession


class AuthContext:
    """One request that has to do with accounts: its transaction, and who is at the other end."""

    def __init__(self, tools: AuthTools, session: DatabaseSession, peer: Peer) -> None:
        self.tools = tools
        self.session = session
        self.peer = peer
        self.hasher = tools.hasher.on_behalf_of(peer.widest_network, peer.gone)
        self.events = SecurityEvents(peer, tools.clock)


class Flow:
    """Something that people do with accounts, in a transaction that it never commits."""

    def __init__(self, auth: AuthContext) -> None:
        self._auth = auth
        self._session = auth.session
        self._hasher = auth.hasher
        self._events = auth.events
        self._tools = auth.tools
        self._backoff = auth.tools.backoff
        self._database = auth.tools.database
        self._settings = auth.tools.settings
        self._clock = auth.tools.clock
