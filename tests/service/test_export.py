"""The log as files: nothing that a stranger wrote can act in them."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from secondpost.errors import SecondpostError
from secondpost.service import export


@given(st.text(), st.sampled_from(["=", "+", "-", "@", "\t", "\r"]))
def test_no_cell_begins_as_a_formula(text, sign):
    assert export.cell(sign + text) == f"'{sign}{text}"
    assert not export.cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_spreadsheet_has_a_heading_and_holds_text_only():
    sheet, file = export.Spreadsheet(), io.BytesIO()
    sheet.add({"id": "1", "subject": '=HYPERLINK("http://x")', "to": ["a@x.org", "b@x.org"], "initiator": "a\x00b"})
    sheet.save(file)
    rows = list(load_workbook(file).active.iter_rows())
    assert [cell.value for cell in rows[0]] == list(export.COLUMNS)
    assert {cell.data_type for cell in rows[1] if cell.value is not None} == {"s"}
    assert rows[1][3].value == '\'=HYPERLINK("http://x")'
    assert (rows[1][5].value, rows[1][7].value) == ("a@x.org, b@x.org", "a b")


def test_a_zip_names_files_by_ids_and_lists_what_is_not_kept():
    file = io.BytesIO()
    letters = export.Letters(file)
    letters.add("0sahnce1dvz77", b"Subject: ../../x\r\n\r\n")
    letters.miss("0sahnce1dvz78", "dropped")
    letters.close()
    archive = zipfile.ZipFile(file)
    assert archive.namelist() == ["0sahnce1dvz77.eml", "not-kept.txt"]
    assert archive.read("not-kept.txt") == b"0sahnce1dvz78: dropped\n"


def test_a_zip_is_not_made_without_end(monkeypatch):
    monkeypatch.setattr(export, "MOST_MESSAGES", 1)
    letters = export.Letters(io.BytesIO())
    letters.add("a", b"")
    with pytest.raises(SecondpostError, match="at most 1 messages"):
        letters.add("b", b"")
    letters.close()
