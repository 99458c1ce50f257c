"""
The life of a stream as a table: where it is, what can happen, and what that leads to.
Nothing happens here.
"""

from __future__ import annotations

from enum import Enum, auto


class Phase(Enum):
    """
    Where in its life a stream is.  A plain one passes HANDSHAKE at once, and knows
    neither ANSWERING, nor AWAITING, nor REFUSED.

    PREAMBLE: it says and reads what comes before TLS, if there is anything.
    ANSWERING: TLS has to answer the peer before it reads on, and the kernel takes nothing.
    AWAITING: TLS has to read the rest of a message before it writes.
    REFUSED: one end refuses the other, who has time to read why.
    CLOSING: we have said that nothing more comes.
    ENDED: it was aborted, or is gone.
    """

    PREAMBLE = auto()
    HANDSHAKE = auto()
    OPEN = auto()
    ANSWERING = auto()
    AWAITING = auto()
    REFUSED = auto()
    CLOSING = auto()
    ENDED = auto()


class Event(Enum):
    """
    What can happen to a stream.
    """

    PREAMBLE_OVER = auto()
    SECURED = auto()
    REFUSAL = auto()
    ANSWER_WAITS = auto()
    MESSAGE_UNFINISHED = auto()
    GOES_ON = auto()
    GOODBYE = auto()
    END = auto()


NEXT_PHASE: dict[tuple[Phase, Event], Phase] = {
    (Phase.PREAMBLE, Event.PREAMBLE_OVER): Phase.HANDSHAKE,
    (Phase.PREAMBLE, Event.END): Phase.ENDED,
    (Phase.HANDSHAKE, Event.SECURED): Phase.OPEN,
    (Phase.HANDSHAKE, Event.REFUSAL): Phase.REFUSED,
    (Phase.HANDSHAKE, Event.END): Phase.ENDED,
    (Phase.OPEN, Event.ANSWER_WAITS): Phase.ANSWERING,
    (Phase.OPEN, Event.MESSAGE_UNFINISHED): Phase.AWAITING,
    (Phase.OPEN, Event.GOODBYE): Phase.CLOSING,
    (Phase.OPEN, Event.END): Phase.ENDED,
    (Phase.ANSWERING, Event.GOES_ON): Phase.OPEN,
    (Phase.ANSWERING, Event.GOODBYE): Phase.CLOSING,
    (Phase.ANSWERING, Event.END): Phase.ENDED,
    (Phase.AWAITING, Event.GOES_ON): Phase.OPEN,
    (Phase.AWAITING, Event.END): Phase.ENDED,
    (Phase.REFUSED, Event.END): Phase.ENDED,
    (Phase.CLOSING, Event.END): Phase.ENDED,
}
"""What each event leads to.  A pair that is not here changes nothing."""

CARRYING = frozenset({Phase.OPEN, Phase.ANSWERING, Phase.AWAITING})
"""Where what is written has a place to go, and what waits is sent before a close."""

EARLY = frozenset({Phase.PREAMBLE, Phase.HANDSHAKE})
"""Where what is written waits for the stream to be open."""
