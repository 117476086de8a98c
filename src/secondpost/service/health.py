"""Whether the gateway is well: what it tells people and machines that watch over it.

Rule: a broken connection is what the backup is for; only when none is left is the gateway itself not well.
"""

from typing import Any

from secondpost.errors import SecondpostError
from secondpost.service.connections import Connections
from secondpost.service.worker import Worker
from secondpost.store.base import Store


async def check(store: Store, worker: Worker, connections: Connections) -> dict[str, Any]:
    lines = _connections(connections)
    vital = [await _store(store), _sending(worker)]
    ok = all(check["ok"] for check in vital) and any(check["ok"] for check in lines)
    return {"ok": ok, "checks": [*vital, *lines]}


async def _store(store: Store) -> dict[str, Any]:
    try:
        await store.ready()
    except SecondpostError as error:
        return {"name": "store", "ok": False, "text": str(error)}
    return {"name": "store", "ok": True, "text": "a message can be put on disk now"}


def _sending(worker: Worker) -> dict[str, Any]:
    if worker.suspended:
        return {"name": "sending", "ok": False, "text": "paused: results cannot be written down; nothing is lost"}
    return {"name": "sending", "ok": True, "text": f"{worker.room.count} messages on their way"}


def _connections(connections: Connections) -> list[dict[str, Any]]:
    return [
        {"name": f"connection {row['name']}", "ok": row["state"] != "open", "text": f"breaker {row['state']}"}
        for row in connections.show()
        if row["enabled"]
    ]
