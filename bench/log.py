"""The Email Log with a million messages: how long the server takes for each list and search page."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import quote, urlencode, urlsplit

from bench.gateway import Gateway
from bench.machine import free_port, wait_for_greeting
from bench.report import Section, progress

MESSAGES, QUICK = 1_000_000, 20_000
EACH = 50  # requests of a kind, each with other words where the kind has some
GOAL = 100.0  # milliseconds, p95
KEEP = '\n[log]\ncontent_days = "forever"\nretention_days = "forever"\n'
PASSWORD = "quiet harbor lantern"  # of a gateway that lives for minutes
DEEP = 400  # pages, before one is measured


def measure(*, quick: bool) -> Section:
    count = QUICK if quick else MESSAGES
    gateway = Gateway(primary=free_port(), backup=free_port())
    try:
        gateway.configure()
        with (gateway.scratch / "secondpost.toml").open("a") as file:
            file.write(KEEP)
        if ready := os.environ.get("BENCH_LOG"):  # a folder that bench.archive has filled: that takes ten minutes
            shutil.copytree(ready, gateway.data)
        else:
            command = [sys.executable, "-m", "bench.archive", str(gateway.data), str(count)]
            filled = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            progress(f"log: {count:,} messages, {count / filled:,.0f}/s")
        gateway.start()
        wait_for_greeting(gateway.port, gateway.running, patience=120)
        rows = _measured(gateway, count)
        gateway.stop()
    finally:
        gateway.remove()
    slow = [kind for kind, *_, p95, _ in rows if float(p95) >= GOAL]
    return Section(
        title=f"The Email Log with {count:,} messages",
        text=f"SQLite. Each page {EACH} times, one after the other, with other words and numbers each time; "
        "milliseconds at the server from the request to the last byte of the page, its counts and its HTML included. "
        "“Whole” says how many of the pages had at once all there is for them: the others say how far back they "
        "looked, and go on from there.",
        columns=["page", "p50", "p95", "whole"],
        rows=rows,
        remarks=[f"Every p95 is below {GOAL:.0f} ms." if not slow else f"Not below {GOAL:.0f} ms: {', '.join(slow)}."],
    )


def _measured(gateway: Gateway, count: int) -> list[list[str]]:
    browser = Browser(gateway)
    rows = []
    for kind, paths in _kinds(browser, count):
        found = [browser.timed(path) for path in paths]
        times = sorted(milliseconds for milliseconds, _ in found)
        whole = sum("Look further back" not in text for _, text in found)
        rows.append([
            kind, f"{times[len(times) // 2]:.0f}", f"{times[len(times) * 95 // 100]:.0f}", f"{whole} of {len(found)}"
        ])  # fmt: skip
        progress(f"log: {', '.join(rows[-1])}")
    return rows


def _kinds(browser: "Browser", count: int) -> Iterator[tuple[str, list[str]]]:
    """Kinds of pages with the paths that stand for each."""
    some = range(0, count, count // EACH)
    yield "newest", ["/log"] * EACH
    yield f"page {DEEP} and on", browser.walk("/log", EACH)
    yield "one address", [_log(q=f"person{number % 50_000}@example{number % 97}.org") for number in some]
    yield "part of an address", [_log(q=f"person{number % 977}") for number in some]
    yield "a word of every address", [_log(q="example")] * EACH
    yield "nobody's address", [_log(q=f"nobody{number}@example.net") for number in some]
    yield "one subject", [_log(q=f"order {number + 1}", **{"in": "subject"}) for number in some]
    yield "a rare word of a subject", [_log(q="zebra", **{"in": "subject"})] * EACH
    yield "a frequent word of a subject", [_log(q="invoice", **{"in": "subject"})] * EACH
    yield "failed", [_log(status="failed")] * EACH
    yield "failed, of one address", [_log(status="failed", q=f"person{number % 50_000}") for number in some]
    yield "delivered (one in 20)", [_log(status="delivered")] * EACH
    yield "bounced (one in 1,000)", [_log(status="bounced")] * EACH
    yield "bounced, of one address", [_log(status="bounced", q=f"person{number % 50_000}") for number in some]
    yield "unclear (none)", [_log(status="unclear")] * EACH
    yield "by one connection", [_log(connection="backup")] * EACH
    yield "sent by backup", [_log(backup="1")] * EACH
    yield "a frequent initiator", [_log(initiator=f"app{number % 7}") for number in range(EACH)]
    yield "a rare initiator", [_log(initiator="rare")] * EACH
    yield "an initiator that is none", [_log(initiator=f"none{number}") for number in range(EACH)]
    yield "a frequent error", [_log(error="too many messages")] * EACH
    yield "a rare error", [_log(error="odd refusal")] * EACH
    yield "one day", [_log(since=day, until=day) for day in browser.days(EACH)]
    yield (
        "one day, sent by backup, of a frequent word",
        [_log(since=day, until=day, backup="1", q="order", **{"in": "subject"}) for day in browser.days(EACH)],
    )
    yield "sorted by subject", [_log(sort="subject")] * EACH
    yield "a word of the content", [_log(q="line of text", **{"in": "content"})] * EACH
    yield "a word of no content", [_log(q=f"giraffe {number}", **{"in": "content"}) for number in range(EACH)]
    yield "one message", [f"/log/{id}" for id in browser.ids(EACH)]


def _log(**query: str) -> str:
    return f"/log?{urlencode(query)}"


class Browser:
    """Somebody who has signed in."""

    def __init__(self, gateway: Gateway) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", gateway.http_port, timeout=60)
        command = [
            sys.executable, "-m", "secondpost", "--config", str(gateway.scratch / "secondpost.toml"), "--json",
            "setup-url",
        ]  # fmt: skip
        link = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["url"]
        form = urlencode({"email": "bench@example.com", "password": PASSWORD, "again": PASSWORD})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
        self._http.request("POST", urlsplit(link).path, form, headers)
        answer = self._http.getresponse()
        answer.read()
        self._cookie = str(answer.headers["Set-Cookie"]).partition(";")[0]
        self.timed("/log")  # what is compiled at the first page is not measured

    def timed(self, path: str) -> tuple[float, str]:
        """Milliseconds, and the page."""
        start = time.perf_counter()
        self._http.request("GET", path, headers={"Cookie": self._cookie})
        answer = self._http.getresponse()
        text = answer.read().decode()
        took = 1000 * (time.perf_counter() - start)
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}\n{text[-500:]}")
        return took, text

    def walk(self, path: str, count: int) -> list[str]:
        """Far down the list, as a person gets there: by the keys that the pages give."""
        found: list[str] = []
        for _ in range(DEEP + count):
            following = self.timed(path)[1].partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
            if not following:
                break
            found.append(path := following)
        return found[-count:]

    def ids(self, count: int) -> list[str]:
        text = self.timed("/log")[1]
        return [quote(part.partition('"')[0]) for part in text.split('name="id" value="')[1 : count + 1]]

    def days(self, count: int) -> list[str]:
        now = time.time()
        return [time.strftime("%Y-%m-%d", time.gmtime(now - 86_400 * (2 + number % 24))) for number in range(count)]
