"""Django's own tests of an email backend, taken from its source as they are, against ours. Run by test_their_tests.py.

Left out: two that send to addresses without a domain, which no provider can take; Secondpost refuses them and says so.
"""

import sys
import unittest
from pathlib import Path

import django
from django.conf import settings
from django.test import override_settings

settings.configure(SECRET_KEY="test", USE_TZ=True, INSTALLED_APPS=["secondpost.contrib.django"], USE_I18N=True)
django.setup()
sys.path.insert(0, str(Path(sys.argv.pop()).resolve()))

from mail import tests as theirs  # type: ignore[import-not-found]  # noqa: E402

LEFT_OUT = ("test_recipient_without_domain", "test_lazy_addresses")


class DirectBackendTests(theirs.BaseEmailBackendTests, theirs.SMTPBackendTestsBase):  # type: ignore[misc]
    """Over a real server, in the mode direct."""

    email_backend = "secondpost.contrib.django.EmailBackend"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        server = f"smtp://127.0.0.1:{cls.smtp_controller.port}"
        cls.enterClassContext(override_settings(SECONDPOST={"mode": "direct", "primary": server}))

    def setUp(self):
        super().setUp()
        self.smtp_handler.flush_mailbox()

    def flush_mailbox(self):
        self.smtp_handler.flush_mailbox()

    def get_mailbox_content(self):
        return self.smtp_handler.mailbox


for name in LEFT_OUT:
    setattr(DirectBackendTests, name, None)

if __name__ == "__main__":
    unittest.main(defaultTest="DirectBackendTests", verbosity=2)
