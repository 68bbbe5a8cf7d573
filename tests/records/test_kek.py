"""Where the key that wraps all others comes from: a mistake is a clear stop that quotes nothing."""

from __future__ import annotations

import base64
import sys
import time
from pathlib import Path

import pytest

from records import kek
from records.errors import KeyCommandFailed, KeyMissing, KeyWrong, RecordError
from records.kek import Kek
from records.kek_sources import MOST_BYTES, CommandSource, FileSource, TextSource

ONE, TWO = bytes(range(32)), bytes(range(1, 33))
LINES = f"{ONE.hex()}\n{TWO.hex()} 1790000000\n"


@pytest.mark.parametrize(
    "text",
    [
        LINES,
        LINES.replace("\n", ","),
        f"  {base64.b64encode(ONE).decode()}  \n\n{TWO.hex().upper()} 1790000000",
        base64.b64encode(LINES.encode()).decode(),
    ],
    ids=["a file", "a variable", "base64", "a text in base64"],
)
def test_keys_are_read_however_they_are_written_down(text: str) -> None:
    assert kek.parse(text) == (Kek(ONE), Kek(TWO, 1790000000))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "no key",
        "ab" * 31,
        "ab" * 33,
        f"{ONE.hex()} soon",
        f"{ONE.hex()} 1 2",
        f"{ONE.hex()}\n{ONE.hex()} 5",
        f"{ONE.hex()}\nab",
        base64.b64encode(ONE[:31]).decode(),
        base64.b64encode(b"nothing like a key, and long enough to be a text of one").decode(),
    ],
    ids=repr,
)
def test_what_is_no_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(KeyWrong) as refused:
        kek.parse(text)
    assert not text.strip() or text.strip() not in str(refused.value)
    assert ONE.hex() not in str(refused.value)


def test_a_key_is_named_and_never_shown() -> None:
    one = kek.fresh(1790000000.5)
    assert kek.parse(one.line) == (one,)
    for said in (repr(one), repr((one,)), f"{one}", repr(TextSource("environment", one.line))):
        assert one.key.hex() not in said
        assert repr(one.key) not in said


def test_the_file_takes_a_key_in_and_gives_one_up_and_stays_its_owners(tmp_path: Path) -> None:
    source = FileSource(tmp_path / "records.key")
    with pytest.raises(KeyMissing):
        source.read()
    assert source.make()
    assert not source.make()
    (first,) = source.read()
    second = kek.fresh(1790000000)
    source.add(second)
    assert source.read() == (first, second)
    assert source.path.stat().st_mode & 0o777 == 0o600
    assert source.drop(first.id)
    assert not source.drop(first.id)
    assert source.read() == (second,)
    assert source.drop(second.id)
    assert source.read() == (second,), "the last key is never destroyed"
    assert {one.name for one in tmp_path.iterdir()} == {"records.key", ".records.key.lock"}


def saying(code: str, seconds: float = 20.0) -> CommandSource:
    return CommandSource((sys.executable, "-I", "-c", code), seconds)


def test_a_command_gives_what_it_prints() -> None:
    assert saying(f"print({LINES!r})").read() == (Kek(ONE), Kek(TWO, 1790000000))


def test_no_shell_is_between() -> None:
    argv = (sys.executable, "-I", "-c", "import sys; print(sys.argv[1])", f"{ONE.hex()}")
    assert CommandSource(argv).read() == (Kek(ONE),)
    with pytest.raises(KeyCommandFailed):
        CommandSource((*argv[:4], "$(true);`true`")).read()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import sys; print('hunter2', file=sys.stderr); sys.exit(3)", "ended with code 3"),
        (f"print('{ONE.hex()}'); raise SystemExit(1)", "ended with code 1"),
        ("pass", "printed nothing"),
        ("print('hunter2')", "something else than keys"),
        ("import sys; sys.stdout.buffer.write(b'\\xff' * 64)", "something else than keys"),
        (f"print('{'ab' * 31}')", "something else than keys"),
        (f"print('a' * {MOST_BYTES + 1})", "too much"),
    ],
)
def test_a_command_that_fails_is_a_typed_error_without_its_words(
    code: str, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyCommandFailed, match=why) as failed:
        saying(code).read()
    assert failed.value.code == "key-command-failed"
    assert "hunter2" not in str(failed.value)
    assert "hunter2" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(60)",
        "import os, time; os.close(1); time.sleep(60)",
        f"import time; print('{ONE.hex()}', flush=True); time.sleep(60)",
        "while True: print(end='', flush=True)",
        # what it started holds the pipe open and must end with it
        "import os, time; os.fork() or time.sleep(60)",
    ],
    ids=["silent", "closed", "said all and stays", "busy", "left a child"],
)
def test_a_command_that_does_not_end_is_ended(code: str) -> None:
    began = time.monotonic()
    with pytest.raises(KeyCommandFailed, match=r"did not end within 1\.5 seconds"):
        saying(code, 1.5).read()
    assert time.monotonic() - began < 20


def test_a_command_that_is_not_there_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(KeyCommandFailed, match="cannot be started"):
        CommandSource((str(tmp_path / "none"),)).read()
    assert issubclass(KeyCommandFailed, RecordError)
