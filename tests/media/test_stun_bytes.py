"""Connectivity checks: only genuine ones count, and lengths are looked at first."""

from __future__ import annotations

from aioice import stun as other
from hypothesis import given
from hypothesis import strategies as st

from media import stun

OURS = stun.Credentials("abcdefgh", "p" * 24)
FROM = ("127.0.0.1", 4000)


def request(password: str = OURS.password, **extra: object) -> bytes:
    message = other.Message(other.Method.BINDING, other.Class.REQUEST)
    message.attributes["USERNAME"] = f"{OURS.fragment}:them"
    message.attributes |= {name.replace("_", "-"): value for name, value in extra.items()}
    message.add_message_integrity(password.encode())
    return bytes(message)


def test_a_genuine_check_is_answered_so_that_the_browser_can_verify_it() -> None:
    data = request(USE_CANDIDATE=None)
    assert stun.local_fragment(data) == OURS.fragment
    check = stun.parse(data, OURS.fragment)
    assert check is not None
    assert check.nominates
    assert check.genuine(OURS)
    for address in (FROM, ("fd00::1", 4000)):
        answer = other.parse_message(check.answer(OURS, address))
        assert answer.message_class is other.Class.RESPONSE
        assert answer.transaction_id == data[8:20]
        assert answer.attributes["XOR-MAPPED-ADDRESS"] == address
        assert answer.check_message_integrity(OURS.password.encode())


def test_a_check_with_another_password_or_without_any_is_not_genuine() -> None:
    bare = other.Message(other.Method.BINDING, other.Class.REQUEST)
    bare.attributes["USERNAME"] = f"{OURS.fragment}:them"
    for data in (request("q" * 24), bytes(bare)):
        check = stun.parse(data, OURS.fragment)
        assert check is not None
        assert not check.genuine(OURS)


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_changed_byte_is_never_genuine(place: int, change: int) -> None:
    data = bytearray(request())
    data[place % (len(data) - 8)] ^= change  # the checksum behind is not what authenticates
    if stun.local_fragment(bytes(data)) != OURS.fragment:
        return
    check = stun.parse(bytes(data), OURS.fragment)
    assert check is None or not check.genuine(OURS)


@given(st.binary(max_size=700))
def test_any_bytes_are_refused_without_failing(data: bytes) -> None:
    header = b"\0\1" + max(0, len(data)).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + bytes(12)
    for each in (data, header + data):
        stun.local_fragment(each)
        stun.parse(each, "x")


def test_wrong_lengths_are_refused_before_anything_is_read() -> None:
    data = request()
    for each in (data[:-1], data + b"\0", data[:19], data + bytes(600)):
        assert stun.local_fragment(each) is None


def test_new_credentials_are_long_and_never_alike() -> None:
    made = [stun.Credentials.fresh() for _ in range(50)]
    assert len({each.fragment for each in made}) == 50
    assert all(len(each.fragment) >= 4 and len(each.password) >= 22 for each in made)
