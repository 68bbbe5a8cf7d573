"""The one cast: the same people in the demo, the documentation, the pictures and the journeys.

Phone numbers are of the range that is kept free for fiction, e-mails end in `.invalid`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """One person of the cast. `tier` is the place on the roster; None: not on it."""

    id: str
    name: str
    short_name: str
    role: str
    pin: str | None = None
    licence: tuple[str, str, str] | None = None  # type, state, number
    tier: int | None = None
    languages: tuple[str, ...] = ()
    specialities: tuple[str, ...] = ()
    serves_juvenile: bool = True

    @property
    def email(self) -> str:
        return f"{self.name.split()[0].lower()}@demo.invalid"


@dataclass(frozen=True, slots=True)
class Unit:
    """One tablet; `officer` is on shift with it from the start."""

    id: str
    label: str
    officer: str | None = None


AGENCY_ID, PROVIDER_ID, PROGRAM_ID = "agy_prairie", "prv_plains", "prg_prairie"
AGENCY = "Prairie County Sheriff"
COUNTY, STATE, TIMEZONE = "Prairie", "SD", "America/Chicago"
REGIONAL_LINE = "605-555-0142"
TILES = ("adult", "juvenile", "overdose")
PROVIDER = "Plains Crisis Care"
BRIDGE_LINE = "605-555-0188"
PROGRAM = "Prairie Virtual Crisis Care"

SAM = Member("per_sam", "Sam Rivera", "Sam", "officer", pin="2468")
JO = Member("per_jo", "Jo Larsen", "Jo", "officer", pin="1357")
DANA = Member(
    "per_dana", "Dana Whitefeather", "Dana", "clinician", licence=("LPC-MH", "SD", "4102"), tier=1
)
MIGUEL = Member(
    "per_miguel", "Miguel Ortiz", "Miguel", "clinician", licence=("LCSW", "SD", "2087"), tier=1
)
PRIYA = Member(
    "per_priya", "Priya Nair", "Priya", "clinician", licence=("PMHNP", "SD", "3311"), tier=2
)
ADA = Member("per_ada", "Ada Okafor", "Ada", "supervisor", licence=("PhD", "SD", "0765"))
LENA = Member("per_lena", "Lena Fisher", "Lena", "manager")
TOM = Member("per_tom", "Tom Becker", "Tom", "admin")

CAST = (SAM, JO, DANA, MIGUEL, PRIYA, ADA, LENA, TOM)
CLINICIANS = (DANA, MIGUEL, PRIYA)

UNIT_12 = Unit("tab_unit12", "Unit 12", officer=SAM.id)
UNIT_14 = Unit("tab_unit14", "Unit 14", officer=JO.id)
UNIT_21 = Unit("tab_unit21", "Unit 21")
UNITS = (UNIT_12, UNIT_14, UNIT_21)
