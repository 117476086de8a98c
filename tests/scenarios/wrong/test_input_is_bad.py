"""Whatever a client or a person says wrong gets a clear answer and leaves nothing half; the gateway carries on."""

import socket

import pytest

from tests.gateway import message, new_mark
from tests.provider import HOST, wait_until

TO = "anna@example.com"
MIB = 2**20


def say(gateway, *lines, seconds=20):
    """The last line of the answer to each; b'' once the gateway has hung up."""
    answers = []
    with socket.create_connection((HOST, gateway.port), seconds) as sock:
        file = sock.makefile("rb")
        file.readline()
        for line in lines:
            try:
                sock.sendall(line)
                while (answer := file.readline())[3:4] == b"-":
                    pass
            except OSError:
                answer = b""
            answers.append(answer)
        file.close()
    return answers


HELLO = b"EHLO x\r\n"
MAIL = b"MAIL FROM:<shop@example.com>\r\n"
RCPT = b"RCPT TO:<anna@example.com>\r\n"

WRONG_LINES = {
    "mail_without_address": ([HELLO, b"MAIL FROM:\r\n"], 5),
    "mail_with_two_ats": ([HELLO, b"MAIL FROM:<a@b@example.com>\r\n"], 5),
    "mail_with_space": ([HELLO, b"MAIL FROM:<a b@example.com>\r\n"], 5),
    "mail_without_brackets_or_sense": ([HELLO, b"MAIL FROM:nonsense and more\r\n"], 5),
    "rcpt_without_domain": ([HELLO, MAIL, b"RCPT TO:<anna>\r\n"], 5),
    "rcpt_empty": ([HELLO, MAIL, b"RCPT TO:<>\r\n"], 5),
    "rcpt_too_long": ([HELLO, MAIL, b"RCPT TO:<" + b"a" * 300 + b"@example.com>\r\n"], 5),
    "rcpt_with_broken_utf8": ([HELLO, MAIL, b"RCPT TO:<\xff\xfe@example.com>\r\n"], 5),
    "rcpt_with_nul": ([HELLO, MAIL, b"RCPT TO:<a\0@example.com>\r\n"], 5),
    "rcpt_with_bare_cr": ([HELLO, MAIL, b"RCPT TO:<a@example.com>\rDATA\r\n"], 5),
    "rcpt_before_mail": ([HELLO, RCPT], 5),
    "data_before_rcpt": ([HELLO, MAIL, b"DATA\r\n"], 5),
    "unknown_parameter": ([HELLO, b"MAIL FROM:<a@example.com> FOO=bar\r\n"], 5),
    "size_too_large": ([HELLO, b"MAIL FROM:<a@example.com> SIZE=999999999999\r\n"], 5),
    "size_not_a_number": ([HELLO, b"MAIL FROM:<a@example.com> SIZE=many\r\n"], 5),
    "unknown_command": ([HELLO, b"HAX\r\n"], 5),
    "vrfy_tells_nothing": ([HELLO, b"VRFY root\r\n"], 2),
}


@pytest.mark.parametrize("case", WRONG_LINES)
def test_a_wrong_line_is_refused_with_the_right_kind_of_code(gateway, case):
    lines, kind = WRONG_LINES[case]
    answer = say(gateway, *lines)[-1]
    assert answer[:1] == str(kind).encode(), answer
    assert len(answer) > 8, "a reason is given"
    mark = gateway.send()
    assert gateway.state(mark)


def test_a_command_line_of_a_megabyte_is_refused_and_not_kept(gateway):
    (_, answer) = say(gateway, HELLO, b"NOOP " + b"x" * MIB + b"\r\n")
    assert answer[:1] in {b"5", b"4", b""}, answer
    assert gateway.send()


def test_a_line_that_never_ends_does_not_fill_the_memory(gateway):
    with socket.create_connection((HOST, gateway.port), 10) as sock, pytest.raises(OSError):  # noqa: PT011
        sock.sendall(b"x" * 200 * MIB)  # reset, broken pipe or time-out: it must not be read for ever
    assert gateway.send()


def test_a_message_one_byte_too_large_is_refused_with_552(gateway, primary):
    limit = 35 * MIB
    fits, exceeds = new_mark(), new_mark()
    for mark, size, code in ((fits, limit, b"250"), (exceeds, limit + 1, b"552")):
        head = message(mark, "")
        body = (b"y" * 98 + b"\r\n") * (size // 100)
        data = head + body[: size - len(head) - 2] + b"\r\n"
        assert len(data) == size
        answers = say(gateway, HELLO, MAIL, RCPT, b"DATA\r\n", data + b".\r\n", seconds=60)
        assert answers[-1][:3] == code, (size, answers)
    wait_until(lambda: copies_of(primary, fits) == [1], 30, gateway.report)
    assert copies_of(primary, exceeds) == []


def copies_of(primary, mark):
    """What came of one message, for each recipient: those of other tests may still arrive."""
    return [count for (of, _), count in list(primary.copies.items()) if of == mark]


def test_a_message_too_large_is_refused_before_it_is_sent_when_it_says_so(gateway):
    answers = say(gateway, HELLO, b"MAIL FROM:<shop@example.com> SIZE=%d\r\n" % (35 * MIB + 1))
    assert answers[-1][:3] == b"552"


def test_ten_thousand_recipients_are_too_many_and_the_first_thousand_are_served(gateway, primary):
    mark = new_mark()
    with gateway.client(60) as client:
        client.ehlo()
        client.mail("shop@example.com")
        codes = [client.rcpt(f"r{number}@example.com")[0] for number in range(10_000)]
        assert codes == [250] * 1000 + [452] * 9000
        assert client.data(message(mark))[0] == 250
    wait_until(lambda: len(copies_of(primary, mark)) >= 1000, 60, gateway.report)
    assert copies_of(primary, mark) == [1] * 1000


@pytest.mark.parametrize("byte", [b"\n", b"\r", b"\0"], ids=["lf", "cr", "nul"])
def test_a_bare_control_character_in_the_content_is_refused_or_made_whole(gateway, primary, byte):
    data = message(new_mark(), "") + b"one" + byte + b"two\r\n.\r\n"
    answer = say(gateway, HELLO, MAIL, RCPT, b"DATA\r\n", data)[-1]
    assert answer[:1] in {b"2", b"5"}, answer
    after = gateway.send()
    wait_until(lambda: primary.copies[after, TO], 5, gateway.report)


def test_broken_utf8_in_the_content_is_carried_as_it_is(gateway, primary):
    mark = new_mark()
    data = (
        b"X-Test-Id: "
        + mark.encode()
        + b"\r\nSubject: caf\xe9 \xff\xfe\r\nFrom: \xc3\x28 <shop@example.com>\r\n\r\n\xff\xfe\x80\r\n"
    )
    answer = say(gateway, HELLO, MAIL[:-2] + b" BODY=8BITMIME\r\n", RCPT, b"DATA\r\n", data + b".\r\n")[-1]
    assert answer[:3] == b"250", answer
    wait_until(lambda: primary.copies[mark, TO], 5, gateway.report)
    assert primary.mail[0].data.endswith(b"\r\n\r\n\xff\xfe\x80\r\n")
    assert gateway.log()
    assert gateway.run("log", "list").returncode == 0


BAD_COMMANDS = [
    ["send", "--to", "anna@example.com", "--subject", "a\r\nBcc: evil@example.com", "--text", "x"],
    ["send", "--to", "anna@example.com\r\nBcc: evil@example.com", "--subject", "a", "--text", "x"],
    ["send", "--to", "not an address", "--subject", "a", "--text", "x"],
    ["send", "--to", "anna@example.com", "--subject", "a", "--text", "x", "--attach", "/nonexistent/file"],
    ["email-test", "--to", "nonsense"],
    ["email-test", "--to", "anna@example.com", "--connection", "nobody"],
    ["log", "show", "999999999"],
    ["log", "show", "nonsense"],
    ["messages", "cancel", "999999999"],
    ["backup", "set", "nobody"],
    ["frobnicate"],
]


@pytest.mark.parametrize("arguments", BAD_COMMANDS, ids=lambda words: " ".join(words)[:40].replace("\r\n", "_"))
def test_a_wrong_command_fails_with_a_reason_and_changes_nothing(gateway, primary, arguments):
    done = gateway.run(*arguments)
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.strip()) > 10, "a reason is given"
    assert primary.mail == []
