"""Django's own tests of an email backend, taken from its source as they are, against ours. Run by test_their_tests.py.

5.2 and 6.1 have them in different places. Left out are those that want what Secondpost refuses and says so: addresses
without a domain, which no provider can take, and unknown options that are ignored.
"""

import importlib
import sys
import unittest
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.test import override_settings

settings.configure(SECRET_KEY="test", USE_TZ=True, INSTALLED_APPS=["secondpost.contrib.django"])
django.setup()
sys.path.insert(0, str(Path(sys.argv.pop()).resolve()))

from secondpost.contrib.django.backend import KNOWS_MAILERS, EmailBackend  # noqa: E402  # Django is configured first

LEFT_OUT = ("test_recipient_without_domain", "test_lazy_addresses", "test_unknown_kwargs_ignored")
theirs: Any = importlib.import_module("mail.test_backends" if KNOWS_MAILERS else "mail.tests")
Shared: Any = theirs.SharedEmailBackendTests if KNOWS_MAILERS else theirs.BaseEmailBackendTests


class DirectBackendTests(Shared, theirs.SMTPBackendTestsBase):  # type: ignore[misc]
    """Over a real server, in the mode direct."""

    email_backend = "secondpost.contrib.django.EmailBackend"  # 5.2
    backend_class = EmailBackend  # 6.1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.options = {"mode": "direct", "primary": f"smtp://127.0.0.1:{cls.smtp_controller.port}"}
        cls.enterClassContext(override_settings(SECONDPOST=cls.options))

    def setUp(self):
        super().setUp()
        self.smtp_handler.flush_mailbox()

    def flush_mailbox(self):
        self.smtp_handler.flush_mailbox()

    def get_mailbox_content(self):
        return self.smtp_handler.mailbox

    def create_backend(self, **given):
        return super().create_backend(**self.options, **given)

    def test_fail_silently_arg_accepted(self):
        """Theirs is for backends that have not the option; each that has it is to replace it, says Django."""
        assert EmailBackend(alias="x", fail_silently=True, **self.options).fail_silently

    if KNOWS_MAILERS:

        def test_create_from_mailers(self):
            """Theirs is for backends that need no options; each that does is to name them, says Django."""
            super().test_create_from_mailers(required_options=self.options)


for name in LEFT_OUT:
    setattr(DirectBackendTests, name, None)

if __name__ == "__main__":
    unittest.main(defaultTest="DirectBackendTests", verbosity=2)
