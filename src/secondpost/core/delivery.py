"""The life of a delivery (one message to one recipient).

Rule: a state changes only through `TABLE`. The diagram in docs/lifecycle.md is drawn from it, and the store only saves
what `step` says.
"""

from enum import StrEnum


class State(StrEnum):
    """Where a delivery stands. The first four are open, the last four final."""

    WAITING = "waiting"  # in the queue, until due and until a connection of its route is usable
    LEASED = "leased"  # claimed by a worker; nothing can have left yet
    SENDING = "sending"  # an attempt may now have an effect
    UNCLEAR = "unclear"  # a provider may or may not have it
    ACCEPTED = "accepted"  # a provider has it
    REJECTED = "rejected"  # no connection will take it
    EXPIRED = "expired"  # nobody took it in time
    CANCELLED = "cancelled"  # withdrawn by a person or a rule


class Move(StrEnum):
    """What can happen to a delivery."""

    LEASE = "lease"  # a worker claims it
    LAPSE = "lapse"  # the worker died
    PUT_OFF = "put off"  # the attempt ended before it could have an effect
    START = "start"  # the attempt is about to pass the point of no return
    ACCEPT = "accept"
    DEFER = "defer"
    REJECT = "reject"
    DOUBT = "doubt"  # the answer to the last byte was lost
    SETTLE_ARRIVED = "settle: it arrived"  # an event, a look-up or a person says so
    SETTLE_REFUSED = "settle: it was refused"
    SETTLE_NOT_TAKEN = "settle: it was not taken"  # they surely do not have it, so it may go another way
    SEND_AGAIN = "send again"  # the policy or a person takes the risk of a second copy
    EXPIRE = "expire"
    CANCEL = "cancel"


TABLE: dict[State, dict[Move, State]] = {
    State.WAITING: {
        Move.LEASE: State.LEASED,
        Move.EXPIRE: State.EXPIRED,
        Move.CANCEL: State.CANCELLED,
    },
    State.LEASED: {
        Move.START: State.SENDING,
        Move.LAPSE: State.WAITING,
        Move.PUT_OFF: State.WAITING,
        Move.CANCEL: State.CANCELLED,
    },
    State.SENDING: {
        Move.ACCEPT: State.ACCEPTED,
        Move.REJECT: State.REJECTED,
        Move.DEFER: State.WAITING,
        Move.DOUBT: State.UNCLEAR,
        Move.LAPSE: State.UNCLEAR,
    },
    State.UNCLEAR: {
        Move.SETTLE_ARRIVED: State.ACCEPTED,
        Move.SETTLE_REFUSED: State.REJECTED,
        Move.SETTLE_NOT_TAKEN: State.WAITING,
        Move.SEND_AGAIN: State.WAITING,
        Move.CANCEL: State.CANCELLED,
    },
    State.ACCEPTED: {},
    State.REJECTED: {},
    State.EXPIRED: {},
    State.CANCELLED: {},
}

FINAL = frozenset(state for state, moves in TABLE.items() if not moves)
OPEN = frozenset(TABLE) - FINAL


def withheld_as(reason: str) -> str:
    """What kind of `cancelled` a reason tells of: suppressed, blocked by a rule, or cancelled by a person."""
    if reason.startswith("suppressed"):
        return "suppressed"
    return "cancelled" if reason.startswith(("cancelled", "answered")) or not reason else "blocked"


class IllegalMove(Exception):
    """A delivery was asked to do what its state does not allow: a bug in Secondpost. The delivery was left as it is."""

    def __init__(self, state: State, move: Move) -> None:
        super().__init__(f"a delivery that is {state.value} cannot {move.value}")
        self.state = state
        self.move = move


def step(state: State, *moves: Move) -> State:
    """The state after `moves`, taken in order. Raises `IllegalMove`."""
    for move in moves:
        try:
            state = TABLE[state][move]
        except KeyError:
            raise IllegalMove(state, move) from None
    return state
