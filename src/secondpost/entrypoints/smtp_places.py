"""How many SMTP clients there may be at once, in all and from one network, and who is never served (S9).

Rule: whoever got a place gives it back exactly once.
"""

from collections import Counter
from ipaddress import ip_address, ip_network

from secondpost.config.settings import Smtp
from secondpost.entrypoints.auth import is_loopback, network_of
from secondpost.entrypoints.smtp_answers import DENIED, TOO_MANY, TOO_MANY_OF_YOURS


class Places:
    """A tenth of the places is kept for programs on this machine, and only they are not counted by address."""

    def __init__(self, config: Smtp) -> None:
        self._most, self._most_of_one = config.max_sessions, config.max_sessions_per_address
        self._deny = [ip_network(network) for network in config.deny]
        self._taken = 0
        self._of: Counter[str] = Counter()

    def take(self, peer: str) -> bytes:
        """Take a place; returns why there is none."""
        if not is_loopback(peer):
            return self._take_from_afar(peer)
        if self._taken >= self._most:
            return TOO_MANY
        self._taken += 1
        return b""

    def give_back(self, peer: str) -> None:
        self._taken -= 1
        if not is_loopback(peer):
            network = network_of(peer)
            self._of[network] -= 1
            if not self._of[network]:
                del self._of[network]

    def _take_from_afar(self, peer: str) -> bytes:
        network = network_of(peer)
        if self._deny and self._is_denied(peer):
            return DENIED
        if self._taken >= self._most - self._most // 10:
            return TOO_MANY
        if self._of[network] >= self._most_of_one:
            return TOO_MANY_OF_YOURS
        self._taken += 1
        self._of[network] += 1
        return b""

    def _is_denied(self, peer: str) -> bool:
        client = ip_address(peer.partition("%")[0])
        mapped = getattr(client, "ipv4_mapped", None)
        return any((mapped or client) in network for network in self._deny)
