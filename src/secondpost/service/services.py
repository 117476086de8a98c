"""The services of one gateway, which operations are done by.

Rule: they are put together here and nowhere else; what they need of the outside is handed in.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from secondpost.service.connections import Connections
from secondpost.service.credentials import Credentials
from secondpost.service.dashboard import Dashboard
from secondpost.service.domain_check import DomainCheck
from secondpost.service.drill import Drills
from secondpost.service.feedback import Feedback
from secondpost.service.inbox import Inbox
from secondpost.service.keys import Keys
from secondpost.service.misc import Misc
from secondpost.service.reports import Reports
from secondpost.service.retention import Retention
from secondpost.service.sessions import Sessions
from secondpost.service.sign_in import SignIns
from secondpost.service.submit import Submit
from secondpost.service.suppressions import Suppressions
from secondpost.service.users import Users
from secondpost.service.verification import Verification
from secondpost.service.views import Views
from secondpost.service.worker import Worker
from secondpost.store.base import Store


@dataclass(slots=True)
class Services:
    """One of each. What is made of others is made by itself."""

    store: Store
    worker: Worker
    submit: Submit
    connections: Connections
    credentials: Credentials
    keys: Keys
    suppressions: Suppressions
    now: Callable[[], datetime]
    new_id: Callable[[], int]
    retention: Retention
    url: str = ""  # how people reach the web admin
    smtp: str = ""  # how apps reach the gateway, host:port; empty where it does not listen
    stopping: asyncio.Event = field(default_factory=asyncio.Event)  # what runs on its own for a person ends now
    users: Users = field(init=False)
    sessions: Sessions = field(init=False)
    verification: Verification = field(init=False)
    feedback: Feedback = field(init=False)
    sign_ins: SignIns = field(init=False)
    drills: Drills = field(init=False)
    views: Views = field(init=False)
    dashboard: Dashboard = field(init=False)
    reports: Reports = field(init=False)
    inbox: Inbox = field(init=False)
    domain_checks: DomainCheck = field(init=False)
    misc: Misc = field(init=False)

    def __post_init__(self) -> None:
        self.misc = Misc(self.connections)
        self.users = Users(self.store, self.now)
        self.sessions = Sessions(self.store, self.now)
        self.verification = Verification(self.store, self.connections, self.now)
        self.feedback = Feedback(self.store, self.worker, self.suppressions, self.now, self.url)
        self.sign_ins = SignIns(self.store, self.worker, self.verification, self.now, self.url)
        self.drills = Drills(self.store, self.connections, self.submit)
        self.views = Views(self.store)
        self.dashboard = Dashboard(self.store, self.connections, self.verification, self.drills)
        self.reports = Reports(self.store)
        self.inbox = Inbox(self.store, self.connections)
        self.domain_checks = DomainCheck(self.connections)

    async def load(self) -> None:
        """Read what is kept in the store, once it is open."""
        parts = self.credentials, self.keys, self.suppressions, self.connections, self.misc, self.drills, self.retention
        for part in parts:
            await part.load()
