"""What a person can do with the gateway: one method an operation, plain JSON-able values in and out.

Rule: command line and web admin do the same things by the same words; nobody writes into the store around them.
"""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from inspect import isfunction
from typing import Any

from secondpost.core import message as rfc5322
from secondpost.core.delivery import Move, State
from secondpost.errors import ContentNotKept, SecondpostError
from secondpost.service import compose, email_test, health, outstanding, present, routes, settlement, suppressions
from secondpost.service.jobs import Jobs
from secondpost.service.keys import USUAL
from secondpost.service.present import message_number
from secondpost.service.services import Services
from secondpost.service.submit import Draft
from secondpost.service.users import Role

HISTORY = 50  # entries that are told unasked
COUNTED = 500  # messages of a standing that are counted; there may be millions
VERDICTS = {"arrived": Move.SETTLE_ARRIVED, "refused": Move.SETTLE_REFUSED, "send_again": Move.SEND_AGAIN}


class Operations(Services):
    """Every operation by its name; `named` finds one for the control door."""

    __slots__ = ("jobs",)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.jobs = Jobs(self.store, self.messages_resend, self.now)

    def named(self, name: str) -> Callable[..., Awaitable[Any] | AsyncIterator[Any]]:
        operation = getattr(self, name, None) if name in OPERATIONS else None
        if operation is None:
            raise SecondpostError(f"There is no operation {name!r}. Are the command and the gateway of one version?")
        return operation  # type: ignore[no-any-return]  # each is one of the methods below

    # Connections ---------------------------------------------------------------------------------------------------

    async def connections_list(self) -> list[dict[str, Any]]:
        return self.connections.show()

    async def connections_history(self, name: str = "", limit: int = HISTORY) -> list[dict[str, Any]]:
        """When breakers opened and closed, and why; newest first. `name`: of this connection only."""
        if name:
            self.connections.known(name)
        found: list[dict[str, Any]] = []
        before = None
        while len(found) < limit:
            events = await self.store.events(limit=COUNTED, before=before, kinds=["breaker"], text=name)
            found += [event for event in events if name in ("", event["connection"])]
            if len(events) < COUNTED:
                break
            before = events[-1]["id"]
        return [present.happened(event) for event in found[:limit]]

    async def connections_verify(self, name: str | None = None) -> list[dict[str, Any]]:
        return await self.verification.verify(name)

    async def connections_add(self, name: str, **fields: Any) -> dict[str, Any]:
        return await self.connections.add(name, **fields)

    async def connections_remove(self, name: str, replacement: str | None = None) -> None:
        await self.connections.remove(name, replacement)
        await self.feedback.forget(name)

    async def connections_connect(self, name: str) -> dict[str, str]:
        """The page at which a person lets a connection in, and where it sends them back."""
        self.connections.known(name)
        return {"name": name, "url": await self.sign_ins.begin(name), "redirect": self.sign_ins.redirect}

    async def connections_webhook(self, name: str, renew: bool = False) -> dict[str, str]:
        """The URL at which the provider of a connection can tell what became of mail."""
        connection = self.connections.known(name)
        if not self.connections.find(connection.mailer).can.events:
            raise SecondpostError(f"The provider of {name!r} tells nothing by webhooks.")
        return {"name": name, "url": await self.feedback.address(name, renew=renew)}

    async def backup_show(self) -> dict[str, Any]:
        return self.connections.backup()

    async def backup_set(self, name: str | None) -> dict[str, Any]:
        return await self.connections.set_backup(name)

    async def routes_list(self) -> list[dict[str, Any]]:
        return self.connections.routes.show()

    async def routes_explain(
        self, content: str, sender: str = "", recipients: list[str] | None = None
    ) -> dict[str, Any]:
        found = routes.pasted(base64.b64decode(content), sender=sender, recipients=tuple(recipients or ()))
        return self.connections.routes.explain(found, self.connections.desk.rules)

    # Queue and log -------------------------------------------------------------------------------------------------

    async def queue(self) -> dict[str, Any]:
        return present.queue(await self.store.depth(), self.worker)

    async def queue_waiting(self, before: str | None = None) -> dict[str, Any]:
        return await outstanding.waiting(self.store, self.worker, before)

    async def queue_unclear(self, before: str | None = None) -> dict[str, Any]:
        return await outstanding.unclear(self.store, self.worker, before)

    async def log_list(self, **filters: Any) -> dict[str, Any]:
        query = present.query(filters)
        rows = await self.store.page(query)
        more = rfc5322.id_text(rows[-1].id) if len(rows) == query.limit else None
        return {"rows": [present.row(row) for row in rows], "next": more}

    async def log_look(self, **filters: Any) -> dict[str, Any]:
        """What a moment's look finds; `next` says where to go on, also when it has found nothing yet."""
        query = present.query(filters)
        found = await self.store.look(query)
        counts = present.tally(found.rows).items() if len(found.rows) < query.limit else ()
        return {
            "counts": {word: (count, found.before is not None) for word, count in counts},
            "rows": [present.listed(row) for row in found.rows],
            "next": None if found.before is None else rfc5322.id_text(found.before),
            "full": len(found.rows) == query.limit,
        }

    async def log_ids(self, limit: int, **filters: Any) -> list[str]:
        """The newest messages that match, as many as `limit`."""
        rows = await self.store.page(present.query({**filters, "limit": limit}))
        return [rfc5322.id_text(row.id) for row in rows]

    async def log_counts(self, **filters: Any) -> dict[str, tuple[int, bool]]:
        """How many there are of each standing, as far as a moment shows; and whether there may be more.

        Where only dates narrow, each standing has its index; else the newest that match are looked at for all of them.
        """
        asked = {**filters, "limit": COUNTED}
        if not filters.keys() - {"since", "until", "status"}:
            queries = {word: present.query(asked | {"status": word}) for word in present.LABELS}
            return {word: await self.store.count(query) for word, query in queries.items()}
        found = await self.store.look(present.query(asked | {"status": ""}))
        return {word: (count, found.before is not None) for word, count in present.tally(found.rows).items()}

    async def log_delete(self, ids: list[str]) -> dict[str, Any]:
        """Entries with their content are gone for good; those with an open delivery stay."""
        dropped = [rfc5322.id_text(message) for message in await self.store.drop([message_number(id) for id in ids])]
        return {"deleted": dropped, "left": [id for id in ids if id not in dropped]}

    async def log_show(self, id: str) -> dict[str, Any]:
        entry = await self.store.entry(message_number(id))
        if entry is None:
            raise SecondpostError(
                f"There is no message {id} in the log. It may be older than the Log Retention Period."
            )
        return present.listed(entry.row) | present.entry(entry, self.worker.policies, self.now())

    async def log_content(self, id: str) -> str:
        content = await self.store.content(message_number(id))
        if content is None:
            raise ContentNotKept(f"The content of {id} is not kept (any more); its entry in the log stays.")
        return base64.b64encode(compose.whole(content)).decode()

    async def log_export(self, **filters: Any) -> AsyncIterator[dict[str, Any]]:
        query = present.query({**filters, "limit": 500})
        while rows := await self.store.page(query):
            for row in rows:
                yield present.row(row)
            query = present.after(query, rows[-1].id)

    # Messages ------------------------------------------------------------------------------------------------------

    async def messages_resend(self, id: str, recipients: list[str] | None = None, key: str = "") -> dict[str, Any]:
        """A new message that links to the first; what was sent stays as it is. With a `key` only once."""
        parent = message_number(id)
        entry, content = await self.store.entry(parent), await self.store.content(parent)
        if entry is None or content is None:
            raise ContentNotKept(f"The content of {id} is not kept (any more), so it cannot be sent again.")
        draft = Draft(
            id=self.new_id(), sender=entry.row.sender, recipients=tuple(recipients or entry.row.recipients),
            content=compose.whole(content), client=entry.row.client, entrypoint="resend", trusted=True,
            priority=entry.row.priority, tag=entry.tag, parent=parent, key=key,
        )  # fmt: skip
        receipt = await self.submit(compose.checked(draft))
        if not receipt.duplicate:
            text = f"sent again as {rfc5322.id_text(receipt.id)}"
            await self.store.event("resend", at=self.now(), message=parent, text=text)
        return {"id": rfc5322.id_text(receipt.id)}

    async def messages_cancel(self, id: str) -> dict[str, Any]:
        return {"cancelled": len(await self._move(id, None, Move.CANCEL, "cancelled by a person"))}

    async def messages_try_now(self, id: str) -> dict[str, Any]:
        """What waits for its time is due now. It goes as soon as a connection of its route can take it."""
        moved = await self.store.hasten(message_number(id), now=self.now())
        if not moved:
            raise SecondpostError(f"Message {id} has no delivery that waits for a later time. Nothing was changed.")
        await self.store.event("person", at=self.now(), message=message_number(id), text="to be tried now")
        return {"due": len(moved)}

    async def messages_settle(self, id: str, verdict: str, number: int | None = None) -> dict[str, Any]:
        """A person says what became of an unclear delivery."""
        if verdict not in VERDICTS:
            raise SecondpostError(f"Unknown verdict {verdict!r}: use {', '.join(VERDICTS)}.")
        numbers = None if number is None else [number]
        moved = await self._move(id, numbers, VERDICTS[verdict], f"settled by a person: {verdict}", of=State.UNCLEAR)
        return {"settled": len(moved)}

    async def _move(
        self, id: str, numbers: list[int] | None, move: Move, reason: str, *, of: State | None = None
    ) -> tuple[int, ...]:
        now, message = self.now(), message_number(id)
        moved = await settlement.settle(self.worker, message, numbers, move, now=now, reason=reason)
        if not moved:
            state = f" that is {of.value}" if of else " that this can be done to"
            raise SecondpostError(
                f"Message {id} has no delivery{state} now. Nothing was changed; see: secondpost log show {id}"
            )
        await self.store.event("person", at=now, message=message, text=reason)
        return moved

    async def send(self, **fields: Any) -> dict[str, Any]:
        draft = compose.draft(self.new_id(), **fields)
        receipt = await self.submit(draft)
        return {"id": rfc5322.id_text(receipt.id), "duplicate": receipt.duplicate}

    async def email_test(
        self, to: str, connection: str | None = None, plain: bool = False, like_real: bool = False
    ) -> dict[str, Any]:
        """Send a test by one connection, without fallback, or like a real message; tell how it went."""
        return await email_test.send(
            self.connections, self.submit, to, connection=connection or "", plain=plain, like_real=like_real
        )

    async def drill(self, to: str, connection: str | None = None) -> dict[str, Any]:
        """Send a test message that the connection refuses on purpose; tell the way it took."""
        return await self.drills.test(to, connection or "")

    async def drill_begin(self, minutes: int, connection: str | None = None) -> dict[str, Any]:
        """Let a connection refuse real mail on purpose for some minutes."""
        return await self.drills.begin(minutes, connection or "")

    async def drill_end(self) -> dict[str, Any] | None:
        return await self.drills.end()

    async def domain_check(
        self, domain: str, connection: str | None = None, selector: str = ""
    ) -> list[dict[str, Any]]:
        """SPF, DKIM and DMARC of a domain, for one connection or for all that would send its mail."""
        return await self.domain_checks(domain, connection or "", selector)

    async def settings_export(self) -> dict[str, Any]:
        """Connections, roles, routes and rules that people have set, without secrets."""
        return self.misc.out(secrets=False)

    # Suppressions, credentials, keys -------------------------------------------------------------------------------

    async def suppressions_list(self) -> list[dict[str, Any]]:
        return self.suppressions.show()

    async def suppressions_add(self, addresses: list[str], reason: str = "manual") -> dict[str, Any]:
        return {"added": await self.suppressions.add(addresses, suppressions.reason(reason))}

    async def suppressions_remove(self, addresses: list[str]) -> dict[str, Any]:
        return {"removed": await self.suppressions.remove(addresses)}

    async def credentials_add(self, name: str, senders: list[str] | None = None, **limits: Any) -> dict[str, Any]:
        secret = await self.credentials.add(name, tuple(senders or ()), **limits)
        return {"name": name, "secret": secret}

    async def credentials_list(self) -> list[dict[str, Any]]:
        return self.credentials.list()

    async def credentials_revoke(self, name: str) -> None:
        await self.credentials.revoke(name)

    async def keys_add(
        self, name: str, scopes: list[str] | None = None, senders: list[str] | None = None, **limits: Any
    ) -> dict[str, str]:
        return await self.keys.add(name, scopes or USUAL, senders or (), **limits)

    async def keys_list(self) -> list[dict[str, Any]]:
        return self.keys.list()

    async def keys_revoke(self, name: str) -> None:
        await self.keys.revoke(name)

    # Users of the web admin ----------------------------------------------------------------------------------------

    async def setup_url(self) -> dict[str, Any]:
        """A link that makes the first owner; the one before stops working."""
        return {"url": self._link(await self.users.set_up())}

    async def users_list(self) -> list[dict[str, Any]]:
        return [
            {"email": user.email, "role": user.role, "codes": bool(user.totp), "created": user.created}
            for user in await self.users.all()
        ]

    async def users_add(self, email: str, role: str = Role.OPERATOR) -> dict[str, Any]:
        """A link by which a new user chooses a password."""
        if role not in list(Role):
            raise SecondpostError(f"Unknown role {role!r}: use {', '.join(Role)}.")
        return {"email": email, "role": role, "url": self._link(await self.users.invite(email, Role(role)))}

    async def users_reset(self, email: str) -> dict[str, Any]:
        """A link by which a user chooses a new password."""
        return {"email": email, "url": self._link(await self.users.reset(email))}

    def _link(self, secret: str) -> str:
        return f"{self.url}/join/{secret}"

    # Database, health ----------------------------------------------------------------------------------------------

    async def db_status(self) -> dict[str, Any]:
        return await self.store.status()

    async def db_migrate(self) -> dict[str, Any]:
        """Opening the store has migrated it already; say where it stands."""
        return await self.store.status()

    async def db_backup(self, path: str) -> dict[str, Any]:
        await self.store.backup(path)
        return {"path": path}

    async def health(self) -> dict[str, Any]:
        return await health.check(self.store, self.worker, self.connections)


OPERATIONS = frozenset(
    name
    for name, value in vars(Operations).items()
    if isfunction(value) and not name.startswith("_") and name != "named"
)
