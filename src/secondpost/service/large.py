"""Large messages that are whole in memory: only the first of one goes through the database, the rest has its own file.

Rule: what surely was not stored leaves no file behind; after any other error the store may refer to it.
"""

from secondpost.errors import Refusal, StoreUnavailable
from secondpost.service.submit import Draft, Submit
from secondpost.store.base import Receipt, TailWriter

BLOCK = 65_536  # what stays in memory of a large message


async def submit(take: Submit, draft: Draft) -> Receipt:
    """On disk when it returns. Raises `Refusal` or `StoreError`."""
    if len(draft.content) <= BLOCK:
        return await take(draft)
    writer = take.store.tail(draft.id)
    try:
        await _cut(draft, writer)
        receipt = await take(draft)
        if receipt.duplicate:
            writer.abandon()
        return receipt
    except (Refusal, StoreUnavailable, OSError):
        writer.abandon()
        raise


async def _cut(draft: Draft, writer: TailWriter) -> None:
    cut = max(BLOCK, draft.content.find(b"\r\n\r\n") + 4)
    for start in range(cut, len(draft.content), BLOCK):
        await writer.write(draft.content[start : start + BLOCK])
    if len(draft.content) > cut:
        draft.tail = await writer.finish()
        draft.content = draft.content[:cut]
