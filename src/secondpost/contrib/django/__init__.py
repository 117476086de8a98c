"""Django: `EmailBackend` for MAILERS (6.1 and later) or EMAIL_BACKEND (5.2), and an app with an outbox and worker."""

TYPE_CHECKING = False  # Django imports this for every command; what sends is loaded with the first message
if TYPE_CHECKING:
    from secondpost.contrib.django.backend import EmailBackend

__all__ = ["EmailBackend"]


def __getattr__(name: str) -> object:
    if name != "EmailBackend":
        raise AttributeError(f"module 'secondpost.contrib.django' has no attribute {name!r}")
    from secondpost.contrib.django.backend import EmailBackend

    return EmailBackend
