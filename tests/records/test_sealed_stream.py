"""A sealed file: what is cut off, swapped, changed or of another key does not open."""

from __future__ import annotations

import hashlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records import sealed_stream
from records.sealed_stream import MAGIC, SALT, Damaged, opened, seal

FRAME = 64  # so that little files have several


@pytest.fixture(autouse=True, scope="module")
def small_frames() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed_stream, "FRAME", FRAME)
        yield


def key(salt: bytes) -> bytes:
    return hashlib.sha256(b"ours" + salt).digest()


def sealed(*pieces: bytes) -> bytes:
    target = io.BytesIO()
    seal(pieces, target, key)
    return target.getvalue()


def plain(data: bytes) -> bytes:
    return b"".join(opened(io.BytesIO(data), key))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=150), max_size=6))
def test_what_was_sealed_opens_whatever_the_pieces(pieces: list[bytes]) -> None:
    assert plain(sealed(*pieces)) == b"".join(pieces)


@settings(deadline=None)
@given(st.binary(min_size=200, max_size=300), st.data())
def test_a_file_that_was_cut_off_anywhere_does_not_open(text: bytes, data: st.DataObject) -> None:
    whole = sealed(text)
    at = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Damaged):
        plain(whole[:at])


@settings(deadline=None)
@given(st.binary(min_size=100, max_size=300), st.data())
def test_a_file_of_which_one_bit_was_changed_does_not_open(
    text: bytes, data: st.DataObject
) -> None:
    whole = bytearray(sealed(text))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Damaged):
        plain(bytes(whole))


def test_frames_that_were_swapped_or_appended_do_not_open() -> None:
    whole = sealed(bytes(3 * FRAME))
    head, frame = len(MAGIC) + SALT, 4 + FRAME + 16
    first, second = whole[head : head + frame], whole[head + frame : head + 2 * frame]
    swapped = whole[:head] + second + first + whole[head + 2 * frame :]
    for bad in (swapped, whole + first, whole + whole):
        with pytest.raises(Damaged):
            plain(bad)


def test_another_key_and_another_file_do_not_open() -> None:
    whole = sealed(b"text")
    with pytest.raises(Damaged, match="another key"):
        list(opened(io.BytesIO(whole), lambda _salt: bytes(32)))
    with pytest.raises(Damaged, match="no backup"):
        plain(b"PK\x03\x04 a zip file, perhaps, of some length")
