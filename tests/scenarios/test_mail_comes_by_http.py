"""The real gateway takes mail by HTTP: what it has said yes to is there, whatever happens to it then."""

import json
import threading
import time
from http.client import HTTPConnection, HTTPException

from tests.gateway import Gateway
from tests.provider import HOST, Provider


def key_of(gateway: Gateway) -> str:
    _, made = gateway.ask("keys_add", name="app")
    return str(made["key"])


def submit(http: HTTPConnection, key: str, subject: str) -> int:
    message = {"from": "shop@example.com", "to": "anna@example.com", "subject": subject, "text": "Hello"}
    http.request("POST", "/v1/messages", json.dumps(message), {"Authorization": f"Bearer {key}"})
    answer = http.getresponse()
    answer.read()
    return answer.status


def test_what_comes_by_http_goes_out_by_the_backup_when_the_primary_is_down(tmp_path):
    with (
        Provider() as backup,
        Gateway(tmp_path, primary={"mailer": "smtp", "host": HOST, "port": 9}, backup=backup) as gateway,
    ):
        http = HTTPConnection(HOST, gateway.http_port, timeout=10)
        assert submit(http, key_of(gateway), "by http") == 202
        end = time.monotonic() + 10
        while gateway.log()["by http"]["status"] != "accepted":
            assert time.monotonic() < end, gateway.report()
            time.sleep(0.1)
        http.close()
        assert gateway.complaints == []


def test_killed_while_it_takes_mail_by_http_it_has_all_that_it_said_yes_to(tmp_path):
    taken: set[str] = set()

    def work(key: str, worker: int) -> None:
        http = HTTPConnection(HOST, gateway.http_port, timeout=10)
        try:
            for number in range(10_000):
                if submit(http, key, f"{worker}/{number}") == 202:
                    taken.add(f"{worker}/{number}")
        except (OSError, HTTPException):
            http.close()

    with Gateway(tmp_path) as gateway:
        key = key_of(gateway)
        workers = [threading.Thread(target=work, args=(key, number)) for number in range(4)]
        for worker in workers:
            worker.start()
        end = time.monotonic() + 20
        while len(taken) <= 50:
            assert time.monotonic() < end, gateway.report()
            time.sleep(0.01)
        gateway.kill()
        for worker in workers:
            worker.join()
        gateway.start()
        there = gateway.log()
        assert taken - there.keys() == set()
        assert all(row["to"] == ["anna@example.com"] for row in there.values())
