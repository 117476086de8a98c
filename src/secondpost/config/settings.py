"""Every setting, declared once: its name, type, default and one sentence.

Rule: nothing else in Secondpost has a default for these; the docs and `config show` are made from here.
"""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from secondpost.config.kinds import (
    Count,
    Days,
    FilePath,
    Listener,
    Listens,
    Names,
    Networks,
    OffListen,
    OffPath,
    OffSpan,
    Span,
    Tables,
    UnlimitedCount,
    UnlimitedSpan,
)


class Table(BaseModel):
    """A part of the configuration: cannot be changed, has no unknown keys, builds its validator when first needed."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)


class Smtp(Table):
    """[smtp]: taking mail in by SMTP."""

    listen: Listens = Field(
        (Listener(host="127.0.0.1", port=2525),),
        description='Where to listen for SMTP, or "off".',
    )
    hostname: str = Field(
        "", pattern=r"^[A-Za-z0-9._:\[\]-]*$", description="The name we greet with; empty: this machine's name."
    )
    trust_loopback: bool = Field(True, description="Programs on this machine may submit without a log-in.")
    max_message_bytes: Count = Field(36_700_160, description="Largest message that is taken, in bytes (35 MiB).")
    max_recipients: Count = Field(1000, description="Most recipients of one message.")
    max_sessions: Count = Field(500, description="Most SMTP sessions at once.")
    max_sessions_per_address: Count = Field(50, description="Most SMTP sessions at once from one address.")
    deny: Networks = Field((), description="Addresses and networks that are never served.")
    tls_certificate: FilePath | None = Field(
        None, description="PEM file with the certificate chain; STARTTLS is offered with it."
    )
    tls_key: FilePath | None = Field(None, description="PEM file with the certificate's private key.")
    loopback_starttls: bool = Field(
        False,
        description="Offer STARTTLS to programs on this machine, too. Many use it unasked, and refuse a certificate "
        "that is not for 127.0.0.1.",
    )
    normalize_line_ends: bool = Field(
        False, description="Mend bare CR and LF in submitted mail instead of refusing it."
    )


class Http(Table):
    """[http]: the HTTP API, health checks and metrics."""

    listen: OffListen = Field(Listener(host="127.0.0.1", port=8025), description='Where to listen for HTTP, or "off".')
    metrics: OffListen = Field(
        None,
        description='Where to listen for /metrics alone, which then is nowhere else; "off": it is a page of listen.',
    )
    public_url: str = Field(
        "", pattern=r"^(https?://[^\s/]+.*)?$", description="The address people reach us at; empty: made from listen."
    )


class Sendmail(Table):
    """[sendmail]: taking mail in from programs on this machine by `secondpost-sendmail`."""

    socket: OffPath = Field(Path("sendmail.sock"), description='Unix socket for SMTP; built-in: in data_dir. Or "off".')
    spool: OffPath = Field(
        Path("spool"),
        description="Folder for mail that is handed in while the gateway does not run; built-in: in data_dir. "
        'Or "off".',
    )
    access: str = Field(
        "owner",
        pattern=r"^[A-Za-z0-9._-]+$",
        description='Who may use socket and spool: "owner" (the user that runs the gateway), "everyone" on this '
        "machine, or the name of a group.",
    )


class Worker(Table):
    """[worker]: sending."""

    concurrency: Count = Field(50, description="Sessions to providers in all.")
    per_second: Count | None = Field(None, description="Messages per second over all connections.")
    per_minute: Count | None = Field(None, description="Messages per minute over all connections.")
    per_hour: Count | None = Field(None, description="Messages per hour over all connections.")
    per_day: Count | None = Field(None, description="Messages per day over all connections.")
    per_month: Count | None = Field(None, description="Messages per month over all connections.")


class Log(Table):
    """[log]: the Email Log, and the diagnostics of the program."""

    content_days: Days = Field(
        7, description='Days that the content of finished mail is kept, or "forever"; 0: not at all.'
    )
    content_megabytes: UnlimitedCount = Field(
        None,
        description="Most megabytes of content of finished mail that are kept: beyond them the oldest goes, however "
        'young. Or "unlimited", which is built in.',
    )
    retention_days: Days = Field(30, ge=1, description='Days that entries of finished mail are kept, or "forever".')
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level of diagnostics written to stderr."
    )


class PriorityTable(Table):
    """[priority.urgent], [priority.normal], [priority.bulk]: what differs from the built-in policy."""

    expires: Span | None = Field(None, description="How long delivery is tried before the message expires.")
    patience: UnlimitedSpan = Field(
        None, description='How long to wait for a rate limit before the next connection is tried, or "unlimited".'
    )
    when_unclear: Literal["send_again", "hold"] | None = Field(
        None, description="What becomes of a doubt that nothing settled in time."
    )
    unclear_after: Span | None = Field(None, description="How long to look for evidence before a doubt is decided.")
    hedge_after: OffSpan = Field(
        None, description='When the next connection joins the race before the point of no return, or "off".'
    )


class TimeoutsTable(Table):
    """How long each phase may take as a whole; a bare number is seconds."""

    connect: Span = Field(timedelta(seconds=10), description="Name look-up, TCP and TLS.")
    command: Span = Field(timedelta(seconds=30), description="Greeting and each command.")
    data_block: Span = Field(timedelta(seconds=60), description="Between two blocks of content.")
    data_reply: Span = Field(
        timedelta(seconds=600),
        description="The answer to the last byte; a short one makes duplicates (RFC 5321 section 4.5.3.2.6).",
    )


class LimitsTable(Table):
    """Messages per span, and sessions at once; leave a limit out for none."""

    per_second: Count | None = Field(None, description="Messages per second.")
    per_minute: Count | None = Field(None, description="Messages per minute.")
    per_hour: Count | None = Field(None, description="Messages per hour.")
    per_day: Count | None = Field(None, description="Messages per day.")
    per_month: Count | None = Field(None, description="Messages per month.")
    sessions: Count = Field(20, description="Sessions at once.")


class ConnectionTable(Table):
    """[connections.NAME]: what all connections share. The mailer declares its own settings beside these."""

    mailer: str = Field("", description="The kind of provider: smtp, capture, …")
    nickname: str = Field("", max_length=200, description="What people read.")
    enabled: bool = Field(True, description="Whether it may carry mail.")
    from_email: str = Field("", description="The From address of this connection.")
    force_from_email: bool = Field(True, description="Use from_email even when the message has a From of its own.")
    from_name: str = Field("", description="The From name of this connection.")
    force_from_name: bool = Field(False, description="Use from_name even when the message has one of its own.")
    return_path: bool = Field(True, description="Bounces go to the From address.")
    backups: Names = Field((), description="Its own backup chain, in order; empty: the Backup Connection.")
    limits: LimitsTable = Field(default_factory=LimitsTable.model_construct, description="Rates and sessions.")
    timeouts: TimeoutsTable = Field(default_factory=TimeoutsTable.model_construct, description="Time-outs by phase.")


class General(Table):
    """What stands at the top of the file, outside every section."""

    data_dir: FilePath = Field(
        Path("secondpost-data"), description="Folder for the database, the key file and large bodies."
    )
    database: str = Field("sqlite", description='"sqlite": a file in data_dir. PostgreSQL is not there yet.')
    primary: str = Field("", description="The Primary Connection: a connection's name, or a whole DSN.")
    backup: str = Field("", description='The Backup Connection: a connection\'s name, a whole DSN, or "none".')
    do_not_send: bool = Field(False, description="Keep everything in the log and send nothing; email tests are sent.")
    non_delivery_reports: bool = Field(
        True, description="Tell the sender by mail when nobody took a message that came by SMTP."
    )
    routes: Tables = Field(
        (), description="Smart Routing: conditions, and the connection that mail which meets them goes by."
    )


SECTIONS: dict[str, type[Table]] = {"smtp": Smtp, "sendmail": Sendmail, "http": Http, "worker": Worker, "log": Log}
PRIORITIES = ("urgent", "normal", "bulk")
SECRETS = frozenset({"database", "primary", "backup"})  # at the top; a connection's are declared by its mailer


def paths() -> list[str]:
    """Every setting with a fixed path."""
    found = list(General.model_fields)
    found += [f"{name}.{key}" for name, model in SECTIONS.items() for key in model.model_fields]
    return found + [f"priority.{name}.{key}" for name in PRIORITIES for key in PriorityTable.model_fields]
