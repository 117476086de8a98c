"""The SMTP entrypoint: how it starts, and how it stops."""

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from secondpost.config.settings import Smtp
from secondpost.entrypoints.smtp import SmtpListener
from secondpost.errors import ConfigError
from secondpost.service.ids import new_id
from tests.entrypoints.smtp.rig import CONTENT, ENVELOPE, HOST, Raw, Rig, wait_until


def starting(settings: dict[str, Any], **options: Any) -> None:
    rig = Rig(settings, "asyncio", options)

    async def start() -> None:
        listener = SmtpListener(
            Smtp.model_validate(rig.settings), submit=rig.submit, authenticate=options.get("authenticate"),
            new_id=new_id, new_tail=rig.new_tail,
        )  # fmt: skip
        await listener.start()
        await listener.stop(0)

    with rig.runner as runner:
        runner.run(start())


def test_a_port_in_use_is_named_with_what_to_do():
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}: .*in use.*SECONDPOST_SMTP__LISTEN"):
            starting({"listen": [f"{HOST}:0", f"{HOST}:{port}"]})


def test_s07_it_does_not_listen_to_other_machines_without_tls(tls):
    with pytest.raises(ConfigError, match="tls_certificate"):
        starting({"listen": ["0.0.0.0:0"]}, authenticate=Rig.authenticate)
    with pytest.raises(ConfigError, match="log-in"):
        starting({"listen": ["0.0.0.0:0"]} | tls)
    starting({"listen": ["0.0.0.0:0"]} | tls, authenticate=Rig.authenticate)


def test_a_certificate_that_cannot_be_used_is_named(tls, tmp_path):
    Path(tls["tls_key"]).write_text("nonsense")
    with pytest.raises(ConfigError, match=r"key\.pem cannot be used"):
        starting(tls)


def test_a_stop_lets_messages_finish_and_sends_the_others_away(rig):
    rig.commit = 0.3
    with Raw(rig) as idle, Raw(rig) as busy, Raw(rig) as stuck:
        for raw in (idle, busy, stuck):
            raw.reply()
            raw.say(ENVELOPE[0])
        assert busy.say(*ENVELOPE[1:])[-1] == b"354"
        stuck.say(*ENVELOPE[1:])
        threading.Timer(0.2, busy.sock.sendall, [CONTENT + b".\r\n"]).start()
        port = rig.port
        rig.stop(grace=1)
        assert idle.reply()[:9] == b"421 4.3.2"
        assert [busy.reply()[:3], busy.reply()[:9]] == [b"250", b"421 4.3.2"]
        assert stuck.reply() in {b"", b"421 4.3.2 We are being stopped: try again in a moment\r\n"}
    assert len(rig.drafts) == 1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port))


def test_a_stop_with_a_large_message_under_way_leaves_nothing(rig):
    with Raw(rig) as raw:
        raw.reply()
        raw.say(*ENVELOPE)
        raw.sock.sendall(CONTENT + b"x\r\n" * 300_000)
        wait_until(lambda: rig.tails)
        rig.stop()
    assert rig.tails[0].is_abandoned
