"""Email Reports: a chart of the days, a table under one heading, and the same as CSV.

Rule: the address holds what is asked; a download is recorded, and no cell of it can act as a formula.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from starlette.responses import Response

from secondpost.admin import chart
from secondpost.admin.visit import Visit
from secondpost.core.tally import Heading, Tally
from secondpost.errors import SecondpostError
from secondpost.service import export
from secondpost.service.reports import DAY, MOST, Report

DAYS = (7, 14, 30)
HEADINGS = {
    Heading.SUBJECT: "Subject", Heading.CONNECTION: "Connection", Heading.INITIATOR: "Initiator",
    Heading.DOMAIN: "Recipient Domain",
}  # fmt: skip
COLUMNS = (
    "deliveries", "sent", "by primary", "by backup", "failed", "unclear", "waiting", "not sent", "delivered", "bounced",
    "complained", "median ms", "p95 ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address says. `since` and `until` are the first and the last day, as text."""

    days: int
    since: str
    until: str
    heading: Heading

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Asked":
        days, by = query.get("days", ""), query.get("by", "")
        since, until = query.get("since", "").strip(), query.get("until", "").strip()
        known = [str(number) for number in DAYS]
        number = 0 if since or until else int(days) if days in known else DAYS[0]
        heading = next((one for one in HEADINGS if one.value == by), Heading.SUBJECT)
        return cls(number, since, until, heading)

    def range(self, now: datetime) -> tuple[datetime, datetime]:
        """From the beginning of the first day to the end of the last. Raises `SecondpostError`."""
        if self.days:
            end = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + DAY
            return end - self.days * DAY, end
        try:
            return _day(self.since), _day(self.until) + DAY
        except (ValueError, OverflowError):
            raise SecondpostError("Choose both days, the first and the last, as in 2026-01-31.") from None

    def url(self, path: str = "/reports", **changes: str) -> str:
        own = {"days": str(self.days)} if self.days else {"since": self.since, "until": self.until}
        return f"{path}?{urlencode({**own, 'by': self.heading.value, **changes})}"


def _day(text: str) -> datetime:
    found = date.fromisoformat(text)
    return datetime(found.year, found.month, found.day, tzinfo=UTC)


async def show(visit: Visit) -> Response:
    asked, error = Asked.read(visit.request.query_params), ""
    try:
        report = await visit.operations.reports.report(*asked.range(visit.now), asked.heading)
    except SecondpostError as mistake:
        error = str(mistake)
        usual = Asked(DAYS[0], "", "", asked.heading)
        report = await visit.operations.reports.report(*usual.range(visit.now), asked.heading)
    titles = visit.titles
    drawn = chart.draw(report.steps, since=report.since, step=report.step)
    return visit.render(
        "reports.html", status=422 if error else 200, asked=asked, report=report, chart=drawn, error=error,
        kinds=chart.KINDS, headings=HEADINGS, ranges=DAYS, last=report.until - timedelta(days=1),
        rows=[(_name(titles, report, row), _search(report, row), row) for row in report.rows],
    )  # fmt: skip


def _name(titles: dict[str, str], report: Report, row: Tally) -> str:
    """What people call it."""
    if report.heading is Heading.CONNECTION:
        return titles.get(row.key, row.key) or "(no connection yet)"
    return row.key or ("(no subject)" if report.heading is Heading.SUBJECT else "(none)")


def _search(report: Report, row: Tally) -> str:
    """The address of the log that shows these messages."""
    if not row.key:
        return ""
    by = {
        Heading.SUBJECT: {"q": row.key, "in": "subject"}, Heading.CONNECTION: {"connection": row.key},
        Heading.INITIATOR: {"initiator": row.key}, Heading.DOMAIN: {"q": row.key},
    }[report.heading]  # fmt: skip
    days = {"since": f"{report.since:%Y-%m-%d}", "until": f"{report.until - DAY:%Y-%m-%d}"}
    return f"/log?{urlencode(by | days)}"


async def download(visit: Visit) -> Response:
    asked = Asked.read(visit.request.query_params)
    since, until = asked.range(visit.now)
    report = await visit.operations.reports.report(since, until, asked.heading, rows=MOST)
    await visit.record(f"downloaded a report by {asked.heading} of {since:%Y-%m-%d} to {until - DAY:%Y-%m-%d}")
    lines = [export.csv_line([HEADINGS[asked.heading], *COLUMNS])]
    lines += [export.csv_line([export.cell(row.key), *map(export.cell, _numbers(row))]) for row in report.rows]
    name = f"report-{asked.heading}-{since:%Y-%m-%d}-{until - DAY:%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response("".join(lines), media_type="text/csv", headers=headers)


def _numbers(row: Tally) -> list[int | None]:
    told = (row.delivered, row.bounced, row.complained) if row.told else (None,) * 3  # nobody told: nobody knows
    return [
        row.all, row.sent, row.primary, row.backup, row.failed, row.unclear, row.waiting, row.cancelled, *told,
        row.within(0.5), row.within(0.95),
    ]  # fmt: skip


PAGES = {"GET /reports": show, "GET /reports/csv": download}
