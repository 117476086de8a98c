"""TLS to a provider fails in some way: nothing is said in the clear, the log says what is wrong, and the backup has the
message.
"""

import pytest

from tests.certificates import Certificates
from tests.provider import Provider, hang_up, raw, say, silence, wait_until

TO = "anna@example.com"
PLAIN = {"MAIL", "AUTH", "DATA"}


@pytest.fixture
def certificates():
    return Certificates()


@pytest.fixture
def trusting(launch, certificates, tmp_path):
    """Launches a gateway that trusts our authority, with a log-in that must never be seen in the clear."""

    def start(primary):
        connection = primary.connection(username="shop", password="secret-canary")
        environment = {"SSL_CERT_FILE": str(certificates.trust_file(tmp_path))}
        return launch(primary=connection, environment=environment)

    return start


def secured(certificate, *, implicit=False, **options):
    return Provider(name="secured", tls=certificate, implicit_tls=implicit, users={"shop": "secret-canary"}, **options)


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
def test_a_good_certificate_is_good(trusting, certificates, backup, implicit):
    with secured(certificates.good(), implicit=implicit) as primary:
        gateway = trusting(primary)
        mark = gateway.send()
        wait_until(lambda: primary.copies[mark, TO], 10, gateway.report)
        assert primary.violations == []
        assert backup.mail == []


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
@pytest.mark.parametrize(
    ("kind", "word"),
    [("wrong_host", "name"), ("expired", "expired"), ("self_signed", "trust")],
    ids=["wrong_host", "expired", "self_signed"],
)
def test_f08_a_bad_certificate_is_refused_with_its_own_reason(trusting, certificates, backup, kind, word, implicit):
    with secured(getattr(certificates, kind)(), implicit=implicit) as primary:
        gateway = trusting(primary)
        mark = gateway.send()
        wait_until(lambda: backup.copies[mark, TO], 10, gateway.report)
        assert not PLAIN & set(primary.commands)
        assert "certificate" in gateway.story(mark).lower()


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
@pytest.mark.parametrize("act", [silence, hang_up, raw(b"garbage, not TLS\r\n" * 20)], ids=["hang", "eof", "garbage"])
def test_f08_a_handshake_that_fails_is_a_definite_no(trusting, certificates, backup, act, implicit):
    with secured(certificates.good(), implicit=implicit) as primary:
        primary.on("tls", act)
        gateway = trusting(primary)
        mark = gateway.send()
        wait_until(lambda: backup.copies[mark, TO], 25, gateway.report)  # a handshake has 15 s
        assert not PLAIN & set(primary.commands)


def test_f09_starttls_stripped_from_the_greeting_is_refused_before_the_log_in(trusting, certificates, backup):
    with secured(certificates.good()) as primary:
        gateway = trusting(primary)
        primary.tls = None
        mark = gateway.send()
        wait_until(lambda: backup.copies[mark, TO], 10, gateway.report)
        assert not PLAIN & set(primary.commands)
        assert "starttls" in gateway.story(mark).lower()


def test_f09_starttls_refused_is_refused(trusting, certificates, backup):
    with secured(certificates.good()) as primary:
        primary.on("starttls", say("454 4.7.0 TLS not available"))
        gateway = trusting(primary)
        mark = gateway.send()
        wait_until(lambda: backup.copies[mark, TO], 10, gateway.report)
        assert not PLAIN & set(primary.commands)


def test_f09_a_reply_injected_before_the_handshake_is_not_believed(trusting, certificates, backup):
    with secured(certificates.good()) as primary:
        primary.on("starttls", raw(b"220 2.0.0 Go ahead\r\n250-evil.example\r\n250 AUTH PLAIN\r\n"))
        gateway = trusting(primary)
        mark = gateway.send()
        wait_until(lambda: backup.copies[mark, TO], 10, gateway.report)
        assert primary.mail == []


def test_the_password_is_nowhere_to_be_read(trusting, certificates, backup):
    """Neither in what the gateway prints, nor in the log's story, nor in its files other than the configuration."""
    with secured(certificates.good()) as primary:
        primary.on("mail", say("451 4.3.0 Trouble here"))
        gateway = trusting(primary)
        mark = gateway.send()
        wait_until(lambda: backup.copies[mark, TO], 10, gateway.report)
        seen = (
            gateway.output()
            + gateway.story(mark)
            + str(gateway.entry(mark))
            + gateway.run("config", "show", "--json").stdout
        )
        gateway.stop()
        files = b"".join(path.read_bytes() for path in gateway.data.rglob("*") if path.is_file())
        for secret in ("secret-canary", "AHNob3AAc2VjcmV0LWNhbmFyeQ"):
            assert secret not in seen
            assert secret.encode() not in files
