"""
The life of a stream as a table: its phases, the events, and where they lead.  There is no
code here that acts.
"""

from __future__ import annotations

from enum import Enum, auto


class StreamPhase(Enum):
    """
    Tells where in its life a stream is.  A stream without TLS passes HANDSHAKE at once, and
    is never ANSWERING, AWAITING or REFUSED.

    PREAMBLE: the stream says and reads what comes before TLS, if there is anything.
    ANSWERING: TLS has to answer the peer before it reads on, and the kernel takes nothing.
    AWAITING: TLS has to read the rest of a message before it writes.
    REFUSED: one end refuses the other, which has time to read why.
    CLOSING: we have said that nothing more comes.
    ENDED: the stream was aborted, or is gone.
    """

    PREAMBLE = auto()
    HANDSHAKE = auto()
    OPEN = auto()
    ANSWERING = auto()
    AWAITING = auto()
    REFUSED = auto()
    CLOSING = auto()
    ENDED = auto()


class StreamEvent(Enum):
    """
    Names what can happen to a stream.
    """

    PREAMBLE_OVER = auto()
    SECURED = auto()
    REFUSAL = auto()
    ANSWER_WAITS = auto()
    MESSAGE_UNFINISHED = auto()
    GOES_ON = auto()
    GOODBYE = auto()
    END = auto()


STREAM_PHASES: dict[tuple[StreamPhase, StreamEvent], StreamPhase] = {
    (StreamPhase.PREAMBLE, StreamEvent.PREAMBLE_OVER): StreamPhase.HANDSHAKE,
    (StreamPhase.PREAMBLE, StreamEvent.END): StreamPhase.ENDED,
    (StreamPhase.HANDSHAKE, StreamEvent.SECURED): StreamPhase.OPEN,
    (StreamPhase.HANDSHAKE, StreamEvent.REFUSAL): StreamPhase.REFUSED,
    (StreamPhase.HANDSHAKE, StreamEvent.END): StreamPhase.ENDED,
    (StreamPhase.OPEN, StreamEvent.ANSWER_WAITS): StreamPhase.ANSWERING,
    (StreamPhase.OPEN, StreamEvent.MESSAGE_UNFINISHED): StreamPhase.AWAITING,
    (StreamPhase.OPEN, StreamEvent.GOODBYE): StreamPhase.CLOSING,
    (StreamPhase.OPEN, StreamEvent.END): StreamPhase.ENDED,
    (StreamPhase.ANSWERING, StreamEvent.GOES_ON): StreamPhase.OPEN,
    (StreamPhase.ANSWERING, StreamEvent.GOODBYE): StreamPhase.CLOSING,
    (StreamPhase.ANSWERING, StreamEvent.END): StreamPhase.ENDED,
    (StreamPhase.AWAITING, StreamEvent.GOES_ON): StreamPhase.OPEN,
    (StreamPhase.AWAITING, StreamEvent.END): StreamPhase.ENDED,
    (StreamPhase.REFUSED, StreamEvent.END): StreamPhase.ENDED,
    (StreamPhase.CLOSING, StreamEvent.END): StreamPhase.ENDED,
}
"""The phase that each event leads to.  A pair that is not here changes nothing."""

CARRYING = frozenset({StreamPhase.OPEN, StreamPhase.ANSWERING, StreamPhase.AWAITING})
"""The phases in which data can be written, and what waits is sent before a close."""

EARLY = frozenset({StreamPhase.PREAMBLE, StreamPhase.HANDSHAKE})
"""The phases in which what is written waits until the stream is open."""
