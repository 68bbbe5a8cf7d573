"""The file that describes directories: what it means, and its mistakes by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from signaling import sso_file
from signaling.settings import SettingsError, load

GOOD = """
[prairie]
name = "Prairie County"
issuer = "https://login.example.org/realms/prairie"
client_id = "crisisbridge"
client_secret_file = "prairie.secret"
provider = "prv_plains"
program = "prg_prairie"
second_factor_amr = ["mfa"]

[[prairie.group]]
name = "crisis-clinicians"
roles = ["clinician"]

[[prairie.group]]
name = "river-clinicians"
roles = ["clinician", "supervisor"]
provider = "prv_river"

[[prairie.group]]
name = "crisis-admins"
roles = ["admin"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "prairie.secret").write_text("hush\n", encoding="utf-8")
    path = tmp_path / "sso.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_a_good_file_is_read_with_its_secret_beside_it(file: Path) -> None:
    (issuer,) = sso_file.read(str(file))
    assert (issuer.id, issuer.name, issuer.client_secret) == ("prairie", "Prairie County", "hush")
    assert issuer.scopes == ("openid", "profile", "email")
    assert issuer.amr == {"mfa"}
    assert not issuer.other_ways
    clinicians, river, admins = issuer.rules
    assert (clinicians.provider_id, clinicians.program_id) == ("prv_plains", None)
    assert river.provider_id == "prv_river"
    assert river.roles == {"clinician", "supervisor"}
    assert (admins.agency_id, admins.provider_id, admins.program_id) == (
        None,
        "prv_plains",
        "prg_prairie",
    )


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("[prairie]", "[Prairie]", "[Prairie] must be a table"),
        ('name = "Prairie County"\n', "", "name is required"),
        ('name = "Prairie County"', "name = 7", "name must be a text"),
        ('name = "Prairie County"', 'naem = "x"', "naem is not an entry"),
        ("https://login.example.org/realms", "ldap://login.example.org", "issuer must be an https"),
        ("https://login.", "https://me:pw@login.", "without a name in it"),
        ("realms/prairie", "?realm=prairie", "issuer must be an https"),
        ("prairie.secret", "gone.secret", "client_secret_file cannot be read"),
        ('["mfa"]', '"mfa"', "second_factor_amr must be a list of texts"),
        ('["clinician"]', '["officer"]', "roles of a group must be some of"),
        ('["clinician"]', "[]", "roles of a group must be some of"),
        ('["admin"]', '["manger"]', "roles of a group must be some of"),
        ('provider = "prv_plains"\n', "", "the role clinician needs provider"),
        ('name = "crisis-admins"', 'nmae = "x"', "each group has a name"),
        ('client_id = "crisisbridge"', 'client_id = "a"\nother_ways = "yes"', "true or false"),
        ('client_id = "crisisbridge"', 'client_id = "a"\nscopes = ["email"]', "must have openid"),
    ],
)
def test_a_mistake_is_named_and_no_value_is_shown(
    file: Path, was: str, becomes: str, says: str
) -> None:
    text = GOOD.replace(was, becomes, 1)
    assert text != GOOD
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="names a file") as error:
        sso_file.read(str(file))
    assert says in str(error.value)
    assert "hush" not in str(error.value)
    assert "crisis-" not in str(error.value)


def test_two_directories_may_not_be_the_same_one(file: Path) -> None:
    file.write_text(GOOD + GOOD.replace("prairie.", "plains.").replace("[prairie]", "[plains]")
                    .replace("plains.secret", "prairie.secret"), encoding="utf-8")  # fmt: skip
    with pytest.raises(ValueError, match="the same issuer"):
        sso_file.read(str(file))


def test_a_directory_without_groups_lets_nobody_in_so_it_is_a_mistake(file: Path) -> None:
    file.write_text(GOOD.partition("[[prairie.group]]")[0], encoding="utf-8")
    with pytest.raises(ValueError, match="at least one"):
        sso_file.read(str(file))


@pytest.mark.parametrize("text", ["[prairie", "\xff"])
def test_what_is_no_toml_is_said(file: Path, text: str) -> None:
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match="not valid TOML"):
        sso_file.read(str(file))


def test_its_mistakes_stand_among_those_of_all_settings(file: Path) -> None:
    given = {"CRISISBRIDGE_SINGLE_SIGN_ON": str(file) + "x", "CRISISBRIDGE_SECRET": "x"}
    with pytest.raises(SettingsError) as error:
        load(given)
    assert "CRISISBRIDGE_SINGLE_SIGN_ON names a file that cannot be read." in error.value.problems
    assert len(error.value.problems) == 2
