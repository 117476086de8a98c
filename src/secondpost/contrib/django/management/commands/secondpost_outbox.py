"""manage.py secondpost_outbox: what waits in the outbox, and what was refused."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from secondpost.contrib.django.models import Outgoing
from secondpost.core.message import id_text


class Command(BaseCommand):
    help = "Show what waits in the outbox, and what was refused and why."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--database", default="default", help="The database of the outbox (default).")
        parser.add_argument("--retry", action="store_true", help="Let the worker try again what was refused.")
        parser.add_argument("--drop-refused", action="store_true", help="Remove what was refused, for good.")

    def handle(self, *, database: str, retry: bool, drop_refused: bool, **_: Any) -> None:
        rows = Outgoing.objects.using(database)
        refused = rows.exclude(refusal="")
        if retry:
            self.stdout.write(f"to be tried again: {refused.update(refusal='')}")
            return
        if drop_refused:
            self.stdout.write(f"removed: {refused.delete()[0]}")
            return
        waiting = rows.filter(refusal="")
        oldest = waiting.order_by("id").values_list("created", flat=True).first()
        self.stdout.write(
            f"waiting: {waiting.count()}" + (f", the oldest since {oldest:%Y-%m-%d %H:%M:%S}" if oldest else "")
        )
        for row in refused.order_by("id"):
            self.stdout.write(f"refused: {id_text(row.id)} to {', '.join(row.recipients)}: {row.refusal}")
