"""The one cast: the same people in the demo, the documentation, the pictures and the journeys.

Phone numbers are of the range that is kept free for fiction, e-mails end in `.invalid`.
"""

from __future__ import annotations

from dataclasses import dataclass

from records.resource_entries import Entry


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

HELP = (
    Entry(
        "Prairie Crisis Center", "crisis_centre", ((COUNTY, STATE),), phone="605-555-0160",
        address="14 Cottonwood Ave", hours="Every day, 24 hours", hours_es="Todos los días, 24 h",
        accepts="Adults, walk in", accepts_es="Adultos, sin cita",
    ),
    Entry(
        "Open Door Shelter", "shelter", ((COUNTY, STATE),), phone="605-555-0161",
        hours="Every night from 6 p.m.", hours_es="Cada noche desde las 6 p. m.",
        accepts="Anybody, families too", accepts_es="Cualquier persona, también familias",
    ),
    Entry(
        "Quiet Rooms", "detox", (("", STATE),), phone="605-555-0162",
        hours="Every day, 24 hours", hours_es="Todos los días, 24 h",
        accepts="Adults; call first", accepts_es="Adultos; llame antes",
    ),
    Entry(
        "Dakota Peer Line", "peer", (("", STATE),), text_line="605-555-0163",
        hours="Evenings", hours_es="Por la tarde y la noche",
    ),
)  # fmt: skip

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
