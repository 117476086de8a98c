"""Email Log: rows as CSV or as a spreadsheet, messages as .eml in a zip.

Rule: an export is recorded before its first byte leaves; messages themselves go only to those who may read content.
"""

import base64
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import IO

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from secondpost.admin.chosen import Chosen
from secondpost.admin.permissions import Permission
from secondpost.admin.visit import Visit
from secondpost.errors import ContentNotKept, SecondpostError
from secondpost.service import export

BLOCK = 2**16
IN_MEMORY = 2**23
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def download(visit: Visit) -> Response:
    chosen, form = await Chosen.read(visit), (await visit.form()).text("format")
    if form not in FORMATS:
        raise SecondpostError("Choose a format: CSV, XLSX or EML. Nothing was exported.")
    if form == "eml" and not visit.may(Permission.CONTENT):
        raise SecondpostError("Messages go only to those who may read content. Export the rows instead.")
    what = f"all that match {chosen.filters.query or 'nothing in particular'}" if chosen.everything else chosen.ids
    await visit.record(f"exported messages of the log as {form}: {what}")
    return await FORMATS[form](visit, chosen)


async def _csv(visit: Visit, chosen: Chosen) -> Response:
    async def lines() -> AsyncIterator[str]:
        yield export.csv_line(export.COLUMNS)
        async for row in chosen.rows(visit):
            yield export.csv_line(export.cells(row))

    return StreamingResponse(lines(), media_type="text/csv", headers=_named("csv"))


async def _xlsx(visit: Visit, chosen: Chosen) -> Response:
    sheet = export.Spreadsheet()
    async for row in chosen.rows(visit):
        sheet.add(row)
    file = _file()
    await run_in_threadpool(sheet.save, file)
    return StreamingResponse(_blocks(file), media_type=SHEET, headers=_named("xlsx"))


async def _eml(visit: Visit, chosen: Chosen) -> Response:
    file = _file()
    letters = export.Letters(file)
    try:
        async for row in chosen.rows(visit):
            await _put(visit, letters, row["id"])
    except BaseException:
        letters.close()
        file.close()
        raise
    letters.close()
    return StreamingResponse(_blocks(file), media_type="application/zip", headers=_named("zip"))


async def _put(visit: Visit, letters: export.Letters, id: str) -> None:
    try:
        letters.add(id, base64.b64decode(await visit.operations.log_content(id)))
    except ContentNotKept as error:
        letters.miss(id, str(error))


def _file() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(IN_MEMORY)  # closed when it has been sent


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while block := file.read(BLOCK):
            yield block


def _named(ending: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="email-log.{ending}"'}


FORMATS = {"csv": _csv, "xlsx": _xlsx, "eml": _eml}
PAGES = {"POST /log/export": download}
