"""A Django project with an outbox in a database file of its own."""

import pytest

from tests import django_project  # noqa: F401  # configures Django, before the tests import it

BACKEND = "secondpost.contrib.django.EmailBackend"


@pytest.fixture(scope="session")
def migrated():
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


@pytest.fixture
def rows(migrated):
    """The rows of the outbox, empty to begin with."""
    from django.db import connections

    from secondpost.contrib.django.models import Outgoing

    Outgoing.objects.all().delete()
    yield Outgoing.objects
    connections.close_all()
