"""A visit: one request of one user, with what pages need to answer it.

Rule: forms are urlencoded and small; what a page shows goes through the templates, which escape everything.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, quote, unquote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from secondpost.admin import navigation
from secondpost.admin.permissions import Permission, may
from secondpost.core.numbers import whole
from secondpost.errors import SecondpostError
from secondpost.service.operate import Operations
from secondpost.service.sessions import Session
from secondpost.service.users import User

if TYPE_CHECKING:
    from secondpost.admin.site import Site

E = TypeVar("E")

MOST_BYTES = 2 * 2**20
MOST_FIELDS = 5000
NOTICE = "secondpost_notice"
BAD = "bad:"  # begins a notice that something was not done
MOST_NOTICE = 400  # characters: a cookie has room for no more


class Form(dict[str, list[str]]):
    """What a form sent; a field that was not sent is empty."""

    def text(self, name: str) -> str:
        return self.get(name, [""])[0].strip()

    def raw(self, name: str) -> str:
        """As it was typed: for passwords, whose spaces count."""
        return self.get(name, [""])[0]

    def number(self, name: str) -> int:
        """A whole number; -1, which no setting takes, for all else."""
        number = whole(self.text(name))
        return -1 if number is None else number

    def number_or(self, name: str, empty: E) -> int | E:
        """The same, or `empty` where nothing is written."""
        return self.number(name) if self.text(name) else empty

    def checked(self, name: str) -> bool:
        return name in self


@dataclass(slots=True)
class Visit:
    """`user` is None where nobody has to sign in."""

    site: "Site"
    request: Request
    user: User | None = None
    session: Session | None = None
    _form: Form | None = field(default=None)

    @property
    def operations(self) -> Operations:
        return self.site.operations

    @property
    def me(self) -> User:
        """The user, on pages that need one."""
        assert self.user is not None
        return self.user

    @property
    def now(self) -> datetime:
        return self.operations.now()

    @property
    def client(self) -> str:
        return self.request.client.host if self.request.client else "?"

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str:
        return self.request.query_params.get(name, "")

    def key(self, name: str) -> int | None:
        """The key of a page, as a number of our own; anything else is none."""
        return whole(self.query(name))

    @property
    def titles(self) -> dict[str, str]:
        """What people call each connection, by its name."""
        return self.operations.connections.titles()

    def may(self, permission: str) -> bool:
        return may(self.user.role if self.user else None, Permission(permission))

    def leads(self, path: str) -> bool:
        """Whether a link to that page may be offered."""
        return navigation.leads(path, self.user.role if self.user else None)

    async def form(self) -> Form:
        """Raises `SecondpostError` when it is too large or not a form."""
        if self._form is None:
            body = bytearray()
            async for chunk in self.request.stream():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise SecondpostError("This form is larger than 2 MiB. Nothing was changed.")
            self._form = _parse(bytes(body))
        return self._form

    def render(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """A page. A notice that waits is shown on it and forgotten."""
        role = self.user.role if self.user else None
        path = self.request.url.path
        section = navigation.section_of(path)
        text = self.site.templates.get_template(template).render(
            visit=self, user=self.user, notice=self.notice,
            sections=list(navigation.sections(role)), section=section, tabs=navigation.tabs(section, role),
            tab=navigation.tab_of(path), **values,
        )  # fmt: skip
        response = HTMLResponse(text, status)
        if NOTICE in self.request.cookies:
            response.delete_cookie(NOTICE, httponly=True, samesite="lax")
        return response

    def go(self, path: str, notice: str = "", *, good: bool = True) -> Response:
        """To another page, which shows the notice. `good`: what was asked for was done."""
        response = RedirectResponse(path, 303)
        if notice:
            words = quote(notice[:MOST_NOTICE])
            response.set_cookie(NOTICE, words if good else BAD + words, max_age=60, httponly=True, samesite="lax")
        return response

    @property
    def notice(self) -> tuple[str, str]:
        """What is told on this page, and how it looks."""
        kept = self.request.cookies.get(NOTICE, "")
        return unquote(kept.removeprefix(BAD)), "open" if kept.startswith(BAD) else "good"

    async def record(self, text: str) -> None:
        """Write into the audit log what the user did. Never a secret."""
        who = self.user.email if self.user else "nobody"
        await self.operations.store.event("audit", at=self.now, text=f"{who} ({self.client}): {text}"[:1000])


def _parse(body: bytes) -> Form:
    form = Form()
    try:
        for name, value in parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
        ):
            form.setdefault(name, []).append(value)
    except ValueError:
        raise SecondpostError("This is not a form that a browser sends. Nothing was changed.") from None
    return form
