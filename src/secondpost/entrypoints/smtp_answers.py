"""What clients of the SMTP entrypoint are told, beside what the state machine says by itself.

Rule: a 4xx or 5xx to a message means that it was not stored, or says that this is not known.
"""

import logging

from secondpost.core.message import id_text
from secondpost.errors import Refusal, StoreError, StoreUnavailable
from secondpost.store.base import Receipt
from secondpost.wire.server_replies import refusal

logger = logging.getLogger(__name__)

TIMED_OUT = b"421 4.4.2 You took too long; good bye\r\n"
STOPPING = b"421 4.3.2 We are being stopped: try again in a moment\r\n"
TOO_MANY = b"421 4.7.0 Too many connections: try again later\r\n"
TOO_MANY_OF_YOURS = b"421 4.7.0 Too many connections from your address: close some\r\n"
DENIED = b"554 5.7.1 Your address is not served\r\n"
STORE_BUSY = b"452 4.3.1 The store is busy or full: try again later. Nothing was stored\r\n"
FAILED = b"451 4.3.0 By a fault of ours it is not known whether the message was stored: try again later\r\n"


def taken(receipt: Receipt) -> bytes:
    """The message is on disk."""
    return b"250 2.0.0 Ok: queued as %b\r\n" % id_text(receipt.id).encode()


def excuse(error: BaseException) -> bytes:
    """The reply for what went wrong. All but a refusal is ours to mend, so the client may try again."""
    if isinstance(error, Refusal):
        return refusal(error)
    if isinstance(error, StoreUnavailable):
        logger.warning("SMTP: a message was not taken, and its client told to come back: %s", error)
        return STORE_BUSY
    if isinstance(error, StoreError):
        return refusal(Refusal(451, "4.3.0", str(error)))
    logger.error("SMTP: a message could not be taken", exc_info=error)
    return FAILED
