"""Writes the parts of the documentation that are made from the code. Run by `./dev docs`.

Rule: what the code already says is not typed a second time; `--check` fails when a page is out of date.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from made import commands, configuration, http_api, lifecycle, mailers, manual, metrics, replies

DOCS = Path(__file__).parent
BEGIN = "<!-- made from the code by `./dev docs`: begin -->"
END = "<!-- made from the code by `./dev docs`: end -->"
PARTS: dict[str, Callable[[], str]] = {
    "lifecycle.md": lifecycle.part,
    "mailers/README.md": mailers.part,
    "reference/configuration.md": configuration.part,
    "reference/commands.md": commands.part,
    "reference/http-api.md": http_api.part,
    "reference/metrics.md": metrics.part,
    "reference/smtp-replies.md": replies.part,
    "../packaging/man/secondpost.1": manual.secondpost,  # manual pages are made as a whole
    "../packaging/man/secondpost-sendmail.1": manual.sendmail,
}


def rebuilt(page: str, part: str) -> str:
    """`page` with `part` between its two marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"a page has lost its marks; put these two lines back into it:\n{BEGIN}\n{END}")
    return f"{before}{BEGIN}\n\n{part.strip()}\n\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Rewrites every page that is out of date, or with `--check` only names it."""
    stale = []
    for name, part in PARTS.items():
        path = DOCS / name
        page = path.read_text(encoding="utf-8")
        if (new := rebuilt(page, part()) if path.suffix == ".md" else part()) != page:
            stale.append(name)
            if "--check" not in arguments:
                path.write_text(new, encoding="utf-8")
    if "--check" in arguments and stale:
        print(f"out of date: {', '.join(stale)}. Run ./dev docs")
        return 1
    print(f"rewritten: {', '.join(stale)}" if stale else "docs are up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
