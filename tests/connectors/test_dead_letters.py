"""What is kept of a record that is no event."""

from stream_dagmm_connectors.dead_letters import Rejection, dead_letter
from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.events import LinePosition
from stream_dagmm_connectors.ports import Record, Unreadable


def test_a_dead_letter_holds_the_record_whole_or_its_beginning_with_length_and_hash() -> None:
    small = dead_letter(Record(LinePosition(3), b"\xff{"), Rejection("bad"), "events", "5b2a")
    assert (small.id, small.raw, small.encoding) == ("events:3:5b2a", "/3s=", "base64")
    big = b"x" * (2 << 20)
    letter = dead_letter(Record(LinePosition(4), big), Rejection("big"), "events", "5b2a")
    assert (len(letter.raw), letter.length) == (64 << 10, 2 << 20)
    cut = Unreadable(b"x" * 10, "cut", 99, "ab")
    letter = dead_letter(Record(LinePosition(4), cut), Rejection("cut"), "events", "5b2a")
    assert (letter.length, letter.sha256) == (99, "ab")


def test_what_a_source_could_not_read_is_refused_at_the_stage_read() -> None:
    assert Decoder().decode(Unreadable(b"a,b", "too few cells")) == Rejection(
        "too few cells", "read"
    )
