"""lifecycle.md: the state table as a Mermaid diagram."""

from secondpost.core.delivery import TABLE, State


def part() -> str:
    """Moves between the same two states share an arrow."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for state, moves in TABLE.items():
        for move, target in moves.items():
            arrows.setdefault((state, target), []).append(move.value.replace(":", ","))
    first, *_ = TABLE
    lines = [f"    [*] --> {first}"]
    lines += [f"    {state} --> {target}: {' / '.join(moves)}" for (state, target), moves in arrows.items()]
    lines += [f"    {state} --> [*]" for state, moves in TABLE.items() if not moves]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])
