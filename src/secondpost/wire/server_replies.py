"""What the server says: every reply that is the same each time, with its enhanced status code (RFC 2034, RFC 3463).

Rule: no reply repeats what a client sent, so nobody can write into a client's log or screen through us (S18).
"""

from secondpost.errors import Refusal

OK = b"250 2.0.0 Ok\r\n"
SENDER_OK = b"250 2.1.0 Ok\r\n"
RECIPIENT_OK = b"250 2.1.5 Ok\r\n"
CHUNK_OK = b"250 2.0.0 Chunk taken\r\n"
GO_AHEAD = b"354 End data with <CR><LF>.<CR><LF>\r\n"
BYE = b"221 2.0.0 Bye\r\n"
HELP = b"214 2.0.0 A submission server: RFC 5321 and RFC 6409. What it offers is in the answer to EHLO\r\n"
CANNOT_VERIFY = b"252 2.0.0 Send some mail, we will try\r\n"
READY_FOR_TLS = b"220 2.0.0 Ready to start TLS\r\n"
LOGGED_IN = b"235 2.7.0 Authentication successful\r\n"
ASK_USER = b"334 VXNlcm5hbWU6\r\n"
ASK_SECRET = b"334 UGFzc3dvcmQ6\r\n"
ASK_ANYTHING = b"334 \r\n"

TOO_MANY_RECIPIENTS = b"452 4.5.3 Too many recipients: send the rest in another transaction\r\n"

BAD_LINE = b"500 5.5.2 Bad line: end every line with CRLF, and keep it under 4096 bytes\r\n"
UNKNOWN = b"500 5.5.2 Command not recognized\r\n"
NOT_OFFERED = b"502 5.5.1 Command not offered\r\n"
BAD_SENDER = b"501 5.1.7 Bad sender address: give one as user@domain\r\n"
BAD_RECIPIENT = b"501 5.1.3 Bad recipient address: give one as user@domain\r\n"
NEED_SMTPUTF8 = b"553 5.6.7 A non-ASCII address needs the SMTPUTF8 parameter of MAIL\r\n"
UNKNOWN_PARAMETER = b"555 5.5.4 Unknown parameter\r\n"
BAD_PARAMETER = b"501 5.5.4 Bad value of a parameter, or the same one twice\r\n"
MAIL_SYNTAX = b"501 5.5.4 Syntax: MAIL FROM:<address>\r\n"
RCPT_SYNTAX = b"501 5.5.4 Syntax: RCPT TO:<address>\r\n"
BDAT_SYNTAX = b"501 5.5.4 Syntax: BDAT size [LAST]\r\n"
PLAIN_SYNTAX = b"501 5.5.2 AUTH PLAIN needs a log-in and a secret, and no other identity\r\n"
NOT_BASE64 = b"501 5.5.2 Cannot decode that: it is not base64 of UTF-8\r\n"
NO_ARGUMENT = b"501 5.5.4 This command takes no argument\r\n"
NO_NAME = b"501 5.5.4 Say EHLO with your name\r\n"
SAY_HELLO = b"503 5.5.1 Say EHLO first\r\n"
NO_SENDER = b"503 5.5.1 MAIL comes first\r\n"
HAVE_SENDER = b"503 5.5.1 There is a sender already; RSET begins anew\r\n"
NO_RECIPIENTS = b"554 5.5.1 No valid recipients\r\n"
IN_CHUNKS = b"503 5.5.1 This message began with BDAT, or a part of it failed; RSET begins anew\r\n"
IN_TRANSACTION = b"503 5.5.1 Not within a mail transaction\r\n"
TALKED_AHEAD = b"503 5.5.0 You did not wait for the answer to this command, as RFC 2920 section 3.1 wants it\r\n"
HAVE_TLS = b"503 5.5.1 TLS is on already\r\n"
HAVE_LOGIN = b"503 5.5.1 You are logged in already\r\n"
NEED_TLS = b"530 5.7.0 Say STARTTLS first\r\n"
NEED_LOGIN = b"530 5.7.0 Log in first, with AUTH\r\n"
NO_PLAIN_TEXT = b"538 5.7.11 AUTH needs TLS: say STARTTLS first\r\n"
UNKNOWN_MECHANISM = b"504 5.5.4 Only AUTH PLAIN and AUTH LOGIN are offered\r\n"
CANCELLED = b"501 5.7.0 Log-in cancelled\r\n"
WRONG_LOGIN = b"535 5.7.8 Log-in or secret wrong\r\n"

TOO_MANY_ERRORS = b"421 4.7.0 Too many errors\r\n"
TOO_MUCH_JUNK = b"421 4.7.0 Too many commands without a message\r\n"
TOO_MANY_LOGINS = b"421 4.7.0 Too many failed log-ins\r\n"


def refusal(error: Refusal) -> bytes:
    """A refusal as a reply of as many lines as its text needs (RFC 5321 section 4.5.3.1.5: at most 512 bytes each)."""
    words = printable(error.text.encode("ascii", "replace"))
    parts = [words[start : start + 480] for start in range(0, len(words), 480)] or [b"Refused"]
    code, status = b"%d" % error.code, error.status.encode()
    lines = [code + (b" " if part is parts[-1] else b"-") + status + b" " + part + b"\r\n" for part in parts]
    return b"".join(lines)


def printable(text: bytes) -> bytes:
    """`text` with a question mark for every byte that is not printable ASCII."""
    return text.translate(_PRINTABLE)


_PRINTABLE = bytes(byte if 32 <= byte < 127 else 63 for byte in range(256))
