"""suppressions list, add, remove."""

ROW = {"address": "gone@example.net", "reason": "bounced", "since": "2026-02-01T08:00:00+00:00"}


def test_the_list_is_shown(run, ask, gateway):
    gateway.answers["suppressions_list"] = [ROW]
    output = run("suppressions", "list").output
    assert "gone@example.net" in output
    assert "bounced" in output
    assert ask("suppressions", "list") == [ROW]
    gateway.answers["suppressions_list"] = []
    assert "suppressions add" in run("suppressions", "list").output


def test_addresses_are_added_and_removed(run, ask, gateway):
    gateway.answers |= {
        "suppressions_add": {"added": ["a@example.net"]},
        "suppressions_remove": {"removed": ["b", "c"]},
    }
    assert run("suppressions", "add", "a@example.net", "--reason", "spam").output == "1 address suppressed.\n"
    assert gateway.asked == [("suppressions_add", {"addresses": ["a@example.net"], "reason": "spam"})]
    assert run("suppressions", "remove", "b", "c").output == "2 addresses may be written to again.\n"
    assert ask("suppressions", "remove", "b", "c") == {"removed": ["b", "c"]}


def test_they_are_read_from_standard_input(run, gateway):
    gateway.answers["suppressions_add"] = {"added": []}
    run("suppressions", "add", "-", input="a@example.net\n\n b@example.net \n")
    assert gateway.asked[0][1]["addresses"] == ["a@example.net", "b@example.net"]
    assert "no address" in run("suppressions", "add", "-", input="\n", code=1).stderr


def test_an_unknown_reason_names_those_that_are_known(run, gateway):
    assert "'manual'" in run("suppressions", "add", "a@example.net", "--reason", "tired", code=2).stderr
    assert gateway.asked == []
