"""Argon2id for passwords and PINs, off the event loop and bounded.

Cost: RFC 9106's second recommended setting (64 MiB, 3 passes, 4 lanes). Two hashes run at once at
most: a flood of sign-ins may wait, but it cannot take the memory or the loop that calls need. Rules
for new ones follow CJIS 5.9.5: at least 8 characters, a banned list, no forced rotation.
"""

from __future__ import annotations

import asyncio
import itertools
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from auth.errors import TooBusy, WeakPassword, WeakPin

SHORTEST = 8
LONGEST = 128  # characters; bounds the work that a stranger can ask for
_COMPOSED = 4  # letters that become one at the most, so that a cut never makes a long one pass
WAITING = 64  # hashes queued at once; more are refused

_T = TypeVar("_T")
_hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
_waiting = 0

# The head of the published lists of leaked passwords, and what people make of the product's name.
_COMMON = """
password passw0rd password1 password12 password123 12345678 123456789 1234567890 11111111 00000000
87654321 qwertyui qwertyuiop qwerty123 qwerty12 1q2w3e4r 1qaz2wsx asdfghjk abcd1234 abcdefgh
abc12345 iloveyou letmein1 letmein12 welcome1 welcome12 welcome123 sunshine princess football
baseball superman batman12 trustno1 changeme changeme1 administrator admin123 admin1234 secret12
secret123 michael1 whatever starwars computer internet dragon12 monkey12 shadow12 crisisbridge
crisisbridge1 crisis123 sheriff1 sheriff123 police123 police911 dispatch dispatch1 officer1
officer123 clinician clinician1
"""
_DIGITS = "0123456789"
_BANNED = frozenset(_COMMON.split())
_ENDS = _DIGITS + "!$@#?.,;:*&%+-_ "  # what people put around a word
_LOOKS_LIKE = str.maketrans("@4310$5!7", "aaeiossit")
_KEYS = (
    *("qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "01234567890"),
    *("abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm"),
    *("1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik", "qazwsxedcrfvtgbyhnujmik"),
)
_ROWS = (*_KEYS, *(keys[::-1] for keys in _KEYS))
_CORES = frozenset(one.strip(_DIGITS) for one in _BANNED) - {""}


async def hash_secret(secret: str) -> str:
    """The argon2id hash of a password or PIN. Raises TooBusy. Cancelling is safe."""
    prepared = _prepare(secret)
    return await _in_thread(lambda: _hasher.hash(prepared))


async def verify(stored: str | None, secret: str) -> bool:
    """Whether `secret` made `stored`. Without `stored` the same work is done and the answer is no.

    Raises TooBusy. Cancelling is safe.
    """
    prepared = _prepare(secret)
    return await _in_thread(lambda: _verify(stored, prepared))


def check_new_password(password: str, *own_words: str) -> None:
    """Raises WeakPassword for one that is too short, too long, common, or one of `own_words`.

    Case, spaces, signs, digits before and after a word, and digits that look like letters change
    nothing: "Sher1ff 1987!" is "sheriff". Neighbours on a keyboard and one thing said again and
    again are common, too. `own_words`: names and addresses of the person and of organisations.
    """
    prepared = _prepare(password)
    own = {_bare(part) for word in own_words for part in (word, *word.replace("@", " ").split())}
    known = _BANNED | _CORES | own | {one.strip(_DIGITS) for one in own}
    known -= {""}
    dull = len(set(prepared)) < 4 or _is_a_row(_bare(prepared))
    inner = (prepared, prepared.rstrip(_ENDS), prepared.strip(_ENDS))
    for bare in map(_bare, (prepared, *(text.translate(_LOOKS_LIKE) for text in inner))):
        dull = dull or bare in known or bare.strip(_DIGITS) in known
    if dull or not SHORTEST <= len(prepared) <= LONGEST:
        raise WeakPassword


def check_new_pin(pin: str) -> None:
    """Raises WeakPin for anything but 4 to 12 digits, a run such as 1234, or one digit repeated."""
    if not (pin.isascii() and pin.isdigit() and 4 <= len(pin) <= 12):
        raise WeakPin
    steps = {int(after) - int(before) for before, after in itertools.pairwise(pin)}
    if steps in ({0}, {1}, {-1}):
        raise WeakPin


def _prepare(secret: str) -> str:
    """The same text from any keyboard (NIST SP 800-63B 3.1.1.2: NFKC), bounded in length."""
    return unicodedata.normalize("NFKC", secret[: _COMPOSED * LONGEST + 1])


def _is_a_row(bare: str) -> bool:
    """Whether it is a run of neighbours, or one thing of at most six letters again and again."""
    if any(bare in row for row in _ROWS) and bare:
        return True
    return any(bare == bare[:size] * (len(bare) // size) for size in range(1, 7) if bare[size:])


def _bare(text: str) -> str:
    """What one remembers of it: letters and digits, without case."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _verify(stored: str | None, prepared: str) -> bool:
    nobody = _nobody()  # made before the question, so that the very first check takes no longer
    try:
        _hasher.verify(stored or nobody, prepared)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


@cache
def _nobody() -> str:
    """A hash that belongs to no one, so that an unknown name costs as much time as a known one."""
    return _hasher.hash("nobody has this password")


async def _in_thread(work: Callable[[], _T]) -> _T:
    global _waiting
    if _waiting >= WAITING:
        raise TooBusy
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, work)
    finally:
        _waiting -= 1
