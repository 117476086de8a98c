"""A DNS server of our own on this machine: it answers from a table, stays silent, or fails, as a test says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from secondpost.domains.resolver import Resolver

SILENT, FAILING = "silent", "failing"


@dataclass
class Nameserver(asyncio.DatagramProtocol):
    """`records`: (name, type) → texts. A name whose answer is SILENT or FAILING is asked in vain."""

    records: dict[tuple[str, str], Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{kind} {name}")
        found = self.records.get((name, kind))
        if found == SILENT:
            return
        answer = dns.message.make_response(query, recursion_available=True)
        if found == FAILING:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif found:
            answer.answer.append(
                dns.rrset.from_text_list(question.name, 60, "IN", kind, [_text(kind, one) for one in found])
            )
        elif not any(known == name for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), addr)

    def resolver(self) -> Resolver:
        return Resolver(servers=("127.0.0.1",), port=self.port)


def _text(kind: str, text: str) -> str:
    """A long TXT is cut into strings of 255 octets, as zones have to."""
    if kind != "TXT":
        return text
    return " ".join(f'"{text[start : start + 255]}"' for start in range(0, len(text), 255))


@asynccontextmanager
async def nameserver(records: dict[tuple[str, str], Any]) -> AsyncIterator[Nameserver]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: Nameserver(records), local_addr=("127.0.0.1", 0))
    server.port = transport.get_extra_info("sockname")[1]
    try:
        yield server
    finally:
        transport.close()
