"""Settings: everything wrong is said at once, and no secret is ever said."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from signaling.settings import Sensitive, SettingsError, describe, load, unfit_to_serve

SECRET = "fine-and-long-0123456789-abcdefghijk"
GOOD = {"CRISISBRIDGE_SECRET": SECRET}


def problems(environ: dict[str, str], file: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environ, file)
    return "\n".join(caught.value.problems)


def test_a_secret_is_all_that_is_needed() -> None:
    settings = load(GOOD)
    assert settings.secret.reveal() == SECRET
    assert settings.host == "127.0.0.1"
    assert settings.origins == ("http://127.0.0.1:8080",)
    assert settings.database.startswith("sqlite:////")
    assert unfit_to_serve(settings) == []


def test_all_mistakes_are_reported_together_and_without_their_values() -> None:
    said = problems(
        {
            "CRISISBRIDGE_SECRET": "tooshort",
            "CRISISBRIDGE_PORT": "98765",
            "CRISISBRIDGE_PUBLIC_ORIGINS": "https://bridge.example.org:notaport",
            "CRISISBRIDGE_MEDIA_ADDRESSES": "10.0.0.5,somewhere",
            "CRISISBRIDGE_DATABASE_URL": "mysql://root:hunter2@db/x",
            "CRISISBRIDGE_DEMO": "perhaps",
            "CRISISBRIDGE_TURN_URLS": "turn:turn.example.org",
            "CRISISBRIDGE_SECRT": "misspelt",
        }
    )
    for name in ("SECRET", "PORT", "PUBLIC_ORIGINS", "MEDIA_ADDRESSES", "DATABASE_URL", "DEMO"):
        assert f"CRISISBRIDGE_{name} must be" in said
    assert "CRISISBRIDGE_TURN_SECRET" in said
    assert "CRISISBRIDGE_SECRT is not a setting" in said
    for value in ("tooshort", "98765", "notaport", "somewhere", "hunter2", "perhaps", "misspelt"):
        assert value not in said


def test_a_missing_secret_is_required_and_there_is_no_default() -> None:
    assert "CRISISBRIDGE_SECRET is required" in problems({})


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text(f'secret = "{SECRET}"\nport = 9000\nmedia_addresses = ["192.0.2.1"]\n')
    assert load({}, file).port == 9000
    assert load({"CRISISBRIDGE_CONFIG": str(file)}).media_addresses == ("192.0.2.1",)
    assert load({"CRISISBRIDGE_PORT": "9001"}, file).port == 9001


def test_the_file_s_mistakes_are_reported_too(tmp_path: Path) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text(f'secret = "{SECRET}"\nprot = 9000\nhost = {{}}\nlog_json = "maybe"\n')
    said = problems({}, file)
    assert "prot (in the configuration file) is not a setting" in said
    assert "host must be a text" in said
    assert "log_json must be true or false" in said
    assert "cannot be read" in problems(GOOD, tmp_path / "missing.toml")
    file.write_text("secret =")
    assert "not valid TOML" in problems(GOOD, file)


def test_an_empty_variable_is_an_unset_one() -> None:
    assert load(GOOD | {"CRISISBRIDGE_REDIS_URL": ""}).redis_url is None


def test_origins_are_compared_in_one_form() -> None:
    environ = GOOD | {
        "CRISISBRIDGE_PUBLIC_ORIGINS": "https://Bridge.Example.org:443/, http://[::1]:8080"
    }
    assert load(environ).origins == ("https://bridge.example.org", "http://[::1]:8080")


def test_a_public_address_needs_tls_origins_and_secure_cookies() -> None:
    bare = unfit_to_serve(load(GOOD | {"CRISISBRIDGE_HOST": "0.0.0.0"}))
    assert any("TLS" in one for one in bare)
    assert any("PUBLIC_ORIGINS" in one for one in bare)
    behind = GOOD | {
        "CRISISBRIDGE_HOST": "0.0.0.0",
        "CRISISBRIDGE_TRUST_PROXY": "true",
        "CRISISBRIDGE_PUBLIC_ORIGINS": "https://bridge.example.org",
    }
    assert unfit_to_serve(load(behind)) == []
    assert load(behind).secure_cookies
    assert unfit_to_serve(load(behind | {"CRISISBRIDGE_COOKIE_SECURE": "false"}))
    plain = behind | {"CRISISBRIDGE_PUBLIC_ORIGINS": "http://bridge.example.org"}
    assert any("https" in one for one in unfit_to_serve(load(plain)))


def test_a_proxy_in_front_makes_a_loopback_server_public() -> None:
    assert load(GOOD | {"CRISISBRIDGE_TRUST_PROXY": "true"}).public
    assert not load(GOOD).public


def test_demo_settings_are_never_served() -> None:
    assert any("DEMO" in one for one in unfit_to_serve(load(GOOD | {"CRISISBRIDGE_DEMO": "true"})))


def test_settings_that_belong_together_are_asked_for_together() -> None:
    assert "TLS_KEY" in problems(GOOD | {"CRISISBRIDGE_TLS_CERT": "/x/cert.pem"})
    said = problems(
        GOOD
        | {
            "CRISISBRIDGE_MEDIA_ADDRESSES": "192.0.2.1,192.0.2.2",
            "CRISISBRIDGE_MEDIA_PUBLIC_ADDRESSES": "198.51.100.1",
        }
    )
    assert "one address for each" in said


def test_a_sensitive_value_never_shows_itself() -> None:
    hidden = Sensitive("hunter2")
    shown = f"{hidden} {hidden!r} {hidden!s} {hidden:>20}" + str([hidden]) + repr({"a": hidden})
    assert "hunter2" not in shown
    assert "hunter2" not in repr(load(GOOD | {"CRISISBRIDGE_SECRET": "hunter2" * 6 + "abcd"}))
    with pytest.raises(TypeError):
        json.dumps(hidden)
    with pytest.raises(TypeError):
        pickle.dumps(hidden)
    assert hidden.reveal() == "hunter2"


def test_every_setting_says_what_it_is() -> None:
    for one in describe():
        assert one.help.endswith(".")
        assert one.default
        assert one.env == f"CRISISBRIDGE_{one.name.upper()}"


def test_the_escalation_s_steps_follow_each_other() -> None:
    said = problems(GOOD | {"CRISISBRIDGE_SECOND_TIER_SECONDS": "90"})
    assert "must follow each other in time" in said


def test_the_key_comes_from_one_place_and_a_mistake_in_it_is_never_repeated() -> None:
    key = "ab" * 32
    assert load(GOOD | {"CRISISBRIDGE_KEK": f"{key},{'cd' * 32} 1790000000"}).kek is not None
    argv = load(GOOD | {"CRISISBRIDGE_KEK_COMMAND": "/bin/echo 'two words' $(true)"}).kek_command
    assert argv == ("/bin/echo", "two words", "$(true)")
    for name, value in (
        ("KEK", "ab" * 31),
        ("KEK", f"{key},{key}"),
        ("KEK_COMMAND", "echo it"),
        ("KEK_COMMAND", "/bin/echo 'it"),
        ("KEK_COMMAND_SECONDS", "0"),
    ):
        with pytest.raises(SettingsError, match=f"CRISISBRIDGE_{name} must be") as refused:
            load(GOOD | {f"CRISISBRIDGE_{name}": value})
        assert value not in str(refused.value) or value == "0"
    for pair in (("KEK", "KEK_FILE"), ("KEK_FILE", "KEK_COMMAND"), ("KEK", "KEK_COMMAND")):
        values = {"KEK": key, "KEK_FILE": "some.key", "KEK_COMMAND": "/bin/true"}
        with pytest.raises(SettingsError, match="exclude each other"):
            load(GOOD | {f"CRISISBRIDGE_{name}": values[name] for name in pair})
