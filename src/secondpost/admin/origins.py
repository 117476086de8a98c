"""Where a request comes from: whether it names us, and whether our own page made it. Pure.

Rule: a name that is not ours is not answered (DNS rebinding), and nothing is changed for another site (CSRF).
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

SAFE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Origins:
    """`public_url` is how people reach us; an IP address and localhost always name us."""

    public_url: str

    def names_us(self, host: str) -> bool:
        name = _name(host)
        if name in ("localhost", _name(urlsplit(self.public_url).netloc)):
            return bool(name)
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def is_safe_line(self, host: str) -> bool:
        """Whether people reach us by https: a proxy in front of us speaks TLS for the public URL."""
        public = urlsplit(self.public_url)
        return public.scheme == "https" and _name(host) == _name(public.netloc)

    def ours(self, method: str, headers: Mapping[str, str]) -> bool:
        """Whether the request may change something: a page of ours sent it, as far as the browser says.

        Sec-Fetch-Site comes with every request over https and on localhost; elsewhere Origin is what there is.
        """
        if method in SAFE:
            return True
        if site := headers.get("sec-fetch-site"):
            return site == "same-origin"
        origin = urlsplit(headers.get("origin", "")).netloc  # "null" has none
        return bool(origin) and origin in (headers.get("host"), urlsplit(self.public_url).netloc)


def _name(netloc: str) -> str:
    """The host without its port and brackets."""
    if netloc.startswith("["):
        return netloc[1:].partition("]")[0].lower()
    return netloc.partition(":")[0].lower().removesuffix(".")
