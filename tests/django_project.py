"""The one Django project of a test process: Django can be configured once. Imported before anything of Django's."""

import os
import tempfile
from pathlib import Path

import django
from django.conf import settings

FOLDER = tempfile.TemporaryDirectory()

settings.configure(
    SECRET_KEY="test",
    USE_TZ=True,
    DEFAULT_CHARSET="utf-8",
    INSTALLED_APPS=["anymail", "secondpost.contrib.django"],
    ANYMAIL={},
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(FOLDER.name) / "app.sqlite3")}},
)
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # pytest-asyncio keeps a loop
django.setup()
