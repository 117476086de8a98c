"""Writes the parts of the documentation that are made from the code. Run by `./dev docs`.

Rule: what the code already says is not typed a second time; `--check` fails when a page is out of date.
"""

import sys
from pathlib import Path

from secondpost.core.delivery import TABLE, State

DOCS = Path(__file__).parent
BEGIN = "<!-- made from the code by `./dev docs`: begin -->"
END = "<!-- made from the code by `./dev docs`: end -->"


def lifecycle() -> str:
    """The state table as a Mermaid diagram; moves between the same two states share an arrow."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for state, moves in TABLE.items():
        for move, target in moves.items():
            arrows.setdefault((state, target), []).append(move.value.replace(":", ","))
    first, *_ = TABLE
    lines = [f"    [*] --> {first}"]
    lines += [f"    {state} --> {target}: {' / '.join(moves)}" for (state, target), moves in arrows.items()]
    lines += [f"    {state} --> [*]" for state, moves in TABLE.items() if not moves]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


PARTS = {"lifecycle.md": lifecycle}


def rebuilt(page: str, part: str) -> str:
    """`page` with `part` between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{part}\n\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Rewrites every page that is out of date, or with `--check` only names it."""
    stale = []
    for name, part in PARTS.items():
        path = DOCS / name
        page = path.read_text(encoding="utf-8")
        if (new := rebuilt(page, part())) != page:
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
