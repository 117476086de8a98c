"""The app: needed for the mode outbox and for the checks; the backend works without it in the other modes."""

from django.apps import AppConfig
from django.core.checks import register


class SecondpostConfig(AppConfig):
    name = "secondpost.contrib.django"
    label = "secondpost"
    verbose_name = "Secondpost"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from secondpost.contrib.django import checks

        register(checks.check)
