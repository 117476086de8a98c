"""Users: who may use the web admin and in which role; passwords as Argon2id, invitations as single-use links.

Rule: an unknown address is answered the same way, and takes the same time, as a wrong password; and one user at least
is always an owner.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from secondpost.core import address
from secondpost.errors import SecondpostError, WrongInput
from secondpost.service.credentials import digest_of
from secondpost.store.base import Store

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")
KIND = "user"
INVITATION = "invitation"
SET_UP = ""  # the address of the invitation that makes the first owner
INVITED_FOR = timedelta(days=1)
SHORTEST, LONGEST = 12, 256  # characters of a password
STEP = 30  # seconds of a one-time code (RFC 6238)


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    OPERATOR = "operator"
    VIEWER = "viewer"


class NotAllowed(SecondpostError):
    """The user's role does not allow it. Nothing was changed."""


class TooBusy(SecondpostError):
    """More log-ins at once than we check passwords."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    email: str
    role: Role
    password: str = field(default="", repr=False)  # Argon2id, never the password
    totp: str = field(default="", repr=False)  # secret of the one-time codes; empty: not used
    totp_step: int = 0  # the last one that was used: each code works once
    recovery: tuple[str, ...] = field(default=(), repr=False)  # SHA-256 of codes that work once, without the device
    created: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    email: str
    role: Role
    expires: datetime


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher  # an optional part

    return PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)


@cache
def _nobody() -> str:
    """What the password of an unknown user is compared with."""
    return _hasher().hash(secrets.token_hex(16))


@dataclass(slots=True)
class Users:
    """The users of one store."""

    store: Store
    now: Callable[[], datetime]
    _checking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))  # each takes 32 MiB and a core
    _queued: int = 0
    _owners: asyncio.Lock = field(default_factory=asyncio.Lock)  # two owners must not demote each other at once

    # Looking up ----------------------------------------------------------------------------------------------------

    async def all(self) -> list[User]:
        return [_user(email, kept) for email, kept in sorted((await self.store.all(KIND)).items())]

    async def find(self, email: str) -> User | None:
        kept = await self.store.get(KIND, email)
        return None if kept is None else _user(email, kept)

    async def known(self, email: str) -> User:
        """Raises `SecondpostError` when there is no such user."""
        user = await self.find(email)
        if user is None:
            raise SecondpostError(f"There is no user {email}. See them with: secondpost users list")
        return user

    # Invitations ---------------------------------------------------------------------------------------------------

    async def set_up(self) -> str:
        """The secret of a new link that makes the first owner; one of before stops working."""
        if await self.all():
            raise SecondpostError(
                "The web admin is set up already. For another person: secondpost users add ADDRESS. "
                "For a lost password: secondpost users reset ADDRESS"
            )
        return await self._invite(SET_UP, Role.OWNER)

    async def invite(self, email: str, role: Role) -> str:
        """The secret of a link by which a new user chooses a password."""
        email = parse_email(email)
        if await self.find(email) is not None:
            raise WrongInput("email", f"{email} is a user already. For a new password: secondpost users reset {email}")
        return await self._invite(email, role)

    async def reset(self, email: str) -> str:
        """The secret of a link by which a user chooses a new password."""
        user = await self.known(parse_email(email))
        return await self._invite(user.email, user.role)

    async def invited(self) -> list[Invitation]:
        """Who may still come in by a link: new users, and those who choose a new password."""
        found = [_invitation(kept) for kept in (await self.store.all(INVITATION)).values()]
        return [one for one in found if one.email != SET_UP and one.expires > self.now()]

    async def withdraw(self, email: str) -> None:
        """Make the link of that address worthless, and forget the links whose time is over."""
        for digest, kept in (await self.store.all(INVITATION)).items():
            if kept["email"] == email or datetime.fromisoformat(kept["expires"]) <= self.now():
                await self.store.delete(INVITATION, digest)

    async def _invite(self, email: str, role: Role) -> str:
        await self.withdraw(email)
        secret = secrets.token_urlsafe(24)
        expires = (self.now() + INVITED_FOR).isoformat()
        await self.store.put(INVITATION, digest_of(secret), {"email": email, "role": role, "expires": expires})
        return secret

    async def invitation(self, secret: str) -> Invitation | None:
        """The invitation that a link stands for, while it can be used."""
        kept = await self.store.get(INVITATION, digest_of(secret))
        if kept is None:
            return None
        found = _invitation(kept)
        late = found.expires <= self.now() or (found.email == SET_UP and await self.all())
        return None if late else found

    async def join(self, secret: str, email: str, password: str) -> User:
        """Use an invitation up: make the user, or give the one it is for a new password."""
        invitation = await self.invitation(secret)
        if invitation is None:
            raise SecondpostError("This link was used already, or its time is over. Ask for a new one.")
        email = invitation.email or parse_email(email)
        hashed = await self._hash(check_password(password, email))
        if not await self.store.delete(INVITATION, digest_of(secret)):
            raise SecondpostError("This link was used already. Ask for a new one.")
        before = await self.find(email)
        created = before.created if before else self.now().isoformat(timespec="seconds")
        user = User(email=email, role=before.role if before else invitation.role, password=hashed, created=created)
        await self.keep(user)
        return user

    # Signing in ----------------------------------------------------------------------------------------------------

    async def sign_in(self, email: str, password: str, code: str) -> User | None:
        """The user, when password and, if one is due, one-time code are right. Each code works once."""
        user = await self.find(email.strip().lower())
        right = await self._matches(user.password if user else _nobody(), password[:LONGEST])
        if user is None or not right:
            return None
        return await self._with_code(user, code.replace(" ", "")) if user.totp else user

    async def _with_code(self, user: User, code: str) -> User | None:
        user = await self.known(user.email)  # as it is now: another sign-in may have used the code meanwhile
        step = _step(user.totp, code, self.now())
        if step > user.totp_step:
            user = replace(user, totp_step=step)
        elif (digest := digest_of(code.lower())) in user.recovery:
            user = replace(user, recovery=tuple([kept for kept in user.recovery if kept != digest]))
        else:
            return None
        await self.keep(user)
        return user

    async def is_password(self, user: User, password: str) -> bool:
        return await self._matches(user.password, password[:LONGEST])

    # Changing ------------------------------------------------------------------------------------------------------

    async def keep(self, user: User) -> None:
        kept = asdict(user)
        await self.store.put(KIND, kept.pop("email"), kept)

    async def change_password(self, user: User, password: str) -> None:
        await self.keep(replace(user, password=await self._hash(check_password(password, user.email))))

    async def change_role(self, email: str, role: Role) -> None:
        async with self._owners:
            user = await self.known(email)
            if role is not Role.OWNER:
                await self._spare_an_owner(user)
            await self.keep(replace(user, role=role))

    async def remove(self, email: str) -> None:
        """Also a link for a new password stops working: by it they would come back."""
        async with self._owners:
            await self._spare_an_owner(await self.known(email))
            await self.withdraw(email)
            await self.store.delete(KIND, email)

    async def _spare_an_owner(self, user: User) -> None:
        others = [one for one in await self.all() if one.role is Role.OWNER and one.email != user.email]
        if user.role is Role.OWNER and not others:
            raise SecondpostError(f"{user.email} is the only owner. Make another user an owner first.")

    async def use_codes(self, user: User, secret: str, code: str) -> list[str]:
        """Ask for one-time codes from now on. Returns recovery codes, which are not shown again."""
        step = _step(secret, code.replace(" ", ""), self.now())
        if not step:
            raise WrongInput("code", "This is not the code that the device shows now. Is the device's clock right?")
        recovery = [secrets.token_hex(5) for _ in range(8)]
        digests = tuple([digest_of(one) for one in recovery])
        await self.keep(replace(user, totp=secret, totp_step=step, recovery=digests))
        return recovery

    async def drop_codes(self, user: User) -> None:
        await self.keep(replace(user, totp="", totp_step=0, recovery=()))

    # Passwords: each check costs a core a tenth of a second, so few run at once and few wait --------------------------

    async def _hash(self, password: str) -> str:
        return await self._aside(lambda: _hasher().hash(password))

    async def _matches(self, hashed: str, password: str) -> bool:
        return await self._aside(lambda: _verify(hashed, password))

    async def _aside(self, work: Callable[[], T]) -> T:
        if self._queued >= 16:
            raise TooBusy("Too many people sign in at this moment. Try again in some seconds.")
        self._queued += 1
        try:
            async with self._checking:
                return await asyncio.to_thread(work)
        finally:
            self._queued -= 1


def _verify(hashed: str, password: str) -> bool:
    from argon2.exceptions import VerificationError

    try:
        return _hasher().verify(hashed, password)
    except VerificationError:
        return False


def _step(secret: str, code: str, now: datetime) -> int:
    """The time step whose code this is, the one before and the one after included; 0 when it is none."""
    import pyotp  # an optional part

    current = int(now.timestamp()) // STEP
    codes = pyotp.TOTP(secret)
    for step in (current, current - 1, current + 1):
        if secrets.compare_digest(codes.generate_otp(step).encode(), code.encode()):
            return step
    return 0


def check_rank(by: User, *roles: Role) -> None:
    """Raises `NotAllowed` unless the user may make, change or remove users of these roles."""
    if by.role is not Role.OWNER and Role.OWNER in roles:
        raise NotAllowed("Only an owner makes, changes or removes an owner. Nothing was changed.")


def parse_email(text: str) -> str:
    try:
        return address.parse(text.strip()).text.lower()
    except address.AddressError:
        raise WrongInput("email", f"{text.strip()[:80]!r} is not an email address such as ada@example.com.") from None


def check_password(password: str, email: str) -> str:
    """The password itself, when it is hard enough to guess. Raises `WrongInput`."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise WrongInput("password", f"A password has {SHORTEST} to {LONGEST} characters; a few random words are good.")
    if len(set(password)) < 5 or email.partition("@")[0] in password.lower():
        raise WrongInput("password", "This password is too easy to guess: take a few random words, not your address.")
    return password


def _invitation(kept: dict[str, Any]) -> Invitation:
    return Invitation(email=kept["email"], role=Role(kept["role"]), expires=datetime.fromisoformat(kept["expires"]))


def _user(email: str, kept: dict[str, Any]) -> User:
    return User(**{**kept, "email": email, "role": Role(kept["role"]), "recovery": tuple(kept["recovery"])})
