"""A private Postfix in a scratch directory: its defaults, loopback only, everything relayed to one port.

The installed service stays untouched, and nothing here tunes speed in either direction.
"""

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

from bench.machine import free_port, tree, wait_for_greeting

# The master.cf that Postfix ships, without chroot, on our port.
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup     unix n - n 60    1 pickup
cleanup    unix n - n -     0 cleanup
qmgr       unix n - n 300   1 qmgr
tlsmgr     unix - - n 1000? 1 tlsmgr
rewrite    unix - - n -     - trivial-rewrite
bounce     unix - - n -     0 bounce
defer      unix - - n -     0 bounce
trace      unix - - n -     0 bounce
verify     unix - - n -     1 verify
flush      unix n - n 1000? 0 flush
proxymap   unix - - n -     - proxymap
proxywrite unix - - n -     1 proxymap
smtp       unix - - n -     - smtp
relay      unix - - n -     - smtp
showq      unix n - n -     - showq
error      unix - - n -     - error
retry      unix - - n -     - error
discard    unix - - n -     - discard
anvil      unix - - n -     1 anvil
scache     unix - - n -     1 scache
"""

# It logs to syslog, as it does by default. Where no syslog runs, as in most containers, that costs it nothing.
MAIN = """\
compatibility_level = 3.6
queue_directory = {scratch}/queue
data_directory = {scratch}/data
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
myhostname = postfix.bench.example
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [127.0.0.1]:{primary}
"""


class Postfix:
    """`with Postfix(primary=PORT) as relay:`. `relay.port` listens, `relay.pid` is the root of its process tree."""

    name = "Postfix"

    def __init__(self, *, primary: int, backup: int | None = None, preload: Path | None = None) -> None:
        self.port, self.primary, self.backup, self.preload = free_port(), primary, backup, preload
        self.scratch = Path(tempfile.mkdtemp(prefix="bench-postfix-"))

    @staticmethod
    def missing() -> str:
        """Why Postfix cannot run here; empty if it can."""
        if not shutil.which("postfix"):
            return "Postfix is not installed (./dev setup)"
        return "" if os.geteuid() == 0 else "a private Postfix needs root to start"

    def __enter__(self) -> Self:
        self._configure()
        # In the foreground, so that its processes are below us and are accounted for.
        command = ["postfix", "-c", str(self.scratch / "etc"), "start-fg"]
        environment = dict(os.environ, **({"LD_PRELOAD": str(self.preload)} if self.preload else {}))
        with (self.scratch / "output").open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        self.pid = self._process.pid
        try:
            wait_for_greeting(self.port, lambda: self._process.poll() is None)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _stop(self) -> None:
        """All of them: the script that started the master stays its parent, but does not pass signals on."""
        processes = tree(self.pid)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        for process in psutil.wait_procs(processes, timeout=10)[1]:
            process.kill()
        self._process.wait()

    def _configure(self) -> None:
        self.scratch.chmod(0o755)  # its daemons run as the user `postfix`
        for name, owner in (("etc", "root"), ("queue", "root"), ("data", "postfix")):
            (self.scratch / name).mkdir()
            shutil.chown(self.scratch / name, owner)
        main = MAIN.format(scratch=self.scratch, primary=self.primary)
        if self.backup:
            main += f"smtp_fallback_relay = [127.0.0.1]:{self.backup}\n"
        if self.preload:
            main += "import_environment = LD_PRELOAD MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C\n"
        (self.scratch / "etc/main.cf").write_text(main)
        (self.scratch / "etc/master.cf").write_text(MASTER.format(port=self.port))
