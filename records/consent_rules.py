"""What somebody agreed to, and whether it covers what is about to be given out. Pure.

Rules of this file:
1. Nothing is covered that a consent does not name: its purpose, its recipient and its content. A
   code that is not known here never covers, and is never covered.
2. Refused, unable, revoked and run out never cover. The newest word of each participant counts: an
   older consent does not come back to life because a newer one was revoked.
3. Where the person and a guardian both decided, both must agree. Somebody who was not able to say
   decides nothing, so a guardian's word counts then.
4. What may leave without a consent (for treatment) does not leave against somebody's word either.
5. Answers about alcohol and drugs leave with a signature only: 42 CFR 2.31 asks for a consent in
   writing, on paper or electronic. A word that was heard covers the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

VERSION: Final = "2026-11"  # of the wording that is spoken; a new one for each change of it

PARTICIPANTS: Final = ("person", "guardian", "officer", "other")
DECIDE: Final = ("person", "guardian")  # whose consent lets something about the person out
PURPOSES: Final = ("assessment", "treatment", "agency", "research")
RECIPIENTS: Final = (
    "provider",
    "centre",
    "hospital",
    "family",
    "agency",
    "program",
    "funder",
    "researcher",
)
# whom a consent for this purpose can name, the usual one first
RECIPIENTS_OF: Final = {
    "assessment": ("provider",),
    "treatment": ("centre", "hospital", "family"),
    "agency": ("agency",),
    "research": ("program", "funder", "researcher"),
}
SUBSTANCES: Final = "substance_use"
CONTENT: Final = ("identity", "summary", "clinical", SUBSTANCES)
METHODS: Final = ("verbal", "signed", "refused", "unable")
GIVEN: Final = ("verbal", "signed")
WRITTEN: Final = ("signed",)
SCOPE: Final[Mapping[str, tuple[str, ...]]] = {  # usually; never the answers of rule 5
    "assessment": (),
    "treatment": ("identity", "summary", "clinical"),
    "agency": ("identity", "summary"),
    "research": ("summary",),
}
# what a signature on the tablet may let out of answers of rule 5, if somebody says so: they go to
# who treats next, and to nobody else by a few taps
SIGNED_SUBSTANCES: Final = ("treatment",)
DAYS: Final = {"assessment": 30, "treatment": 365, "agency": 90, "research": 365}
DAY: Final = 86_400.0
LONGEST: Final = 5 * 365 * DAY
LONGEST_NAME: Final = 120

# prescribed by 42 CFR 2.32(a)(2), word for word; not ours to translate
NOTICE: Final = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."


@dataclass(frozen=True, slots=True)
class Consent:
    """One decision of one participant. `recipients` and `scope` are empty where nothing is given.

    `giver`, `recipient_name` and `signature` name people and places: a guardian, a centre.
    """

    participant: str
    purpose: str
    method: str
    given_at: float
    recipients: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    expires_at: float | None = None
    revoked_at: float | None = None
    wording: str = VERSION
    language: str = "en"
    giver: str = ""
    recipient_name: str = ""
    id: str = ""
    signature: str = ""  # the name that was typed as a signature on the tablet

    def state(self, at: float) -> Literal["given", "refused", "unable", "revoked", "expired"]:
        """What it is worth at a time."""
        if self.method == "refused":
            return "refused"
        if self.method not in GIVEN:
            return "unable"
        if self.revoked_at is not None and at >= self.revoked_at:
            return "revoked"
        if self.expires_at is None or at >= self.expires_at:
            return "expired"
        return "given"

    def __repr__(self) -> str:
        return f"Consent({self.id})"


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What is about to be given out: what for, to whom, and which kinds of content are in it."""

    purpose: str
    recipient: str
    content: frozenset[str]
    at: float


@dataclass(frozen=True, slots=True)
class Cover:
    """The consents that let it out; what goes out names their scope and ends with them."""

    consents: tuple[Consent, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(one.id for one in self.consents)

    @property
    def scope(self) -> tuple[str, ...]:
        """What every one of them allows, in our order."""
        return tuple(code for code in CONTENT if all(code in one.scope for one in self.consents))

    @property
    def until(self) -> float:
        return min(one.expires_at or 0.0 for one in self.consents)


class BadConsent(ValueError):
    """A decision that cannot be; `field` says where."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def covering(consents: Iterable[Consent], wanted: Disclosure) -> Cover | None:
    """The consents that cover a disclosure; None when it must not happen.

    `consents` are all decisions of one session, in any order.
    """
    if not wanted.content or not wanted.content <= set(CONTENT):
        return None
    if wanted.recipient not in RECIPIENTS_OF.get(wanted.purpose, ()):
        return None
    said = [_newest(consents, who, wanted) for who in DECIDE]
    counted = [one for one in said if one is not None and one.state(wanted.at) != "unable"]
    if not counted or not all(_allows(one, wanted) for one in counted):
        return None
    return Cover(tuple(counted))


def objected(consents: Iterable[Consent], wanted: Disclosure) -> bool:
    """Whether the last word of somebody who decides is no, or was taken back.

    For what the law would let out without a consent: who is asked is asked in earnest. Recipients
    about whom nobody is asked (the own chart) are none of this.
    """
    if wanted.recipient not in RECIPIENTS_OF.get(wanted.purpose, ()):
        return False
    said = [_newest(consents, who, wanted) for who in DECIDE]
    return any(one is not None and one.state(wanted.at) in ("refused", "revoked") for one in said)


def replaced(one: Consent, consents: Iterable[Consent]) -> bool:
    """Whether later words of the same participant took its place for everybody whom it names.

    `consents` are all decisions of one session, in any order.
    """
    left = set(one.recipients)
    for other in consents:
        if (other.participant, other.purpose) != (one.participant, one.purpose):
            continue
        given = other.method in GIVEN
        if other.given_at > one.given_at or (other.given_at == one.given_at and not given):
            left -= set(other.recipients) if given else left
    return one.method in GIVEN and not left


def checked(one: Consent, now: float) -> Consent:
    """The decision as it is kept: names tidied. Raises BadConsent."""
    for field, known in (
        ("participant", PARTICIPANTS), ("purpose", PURPOSES), ("method", METHODS),
        ("language", ("en", "es")),
    ):  # fmt: skip
        if getattr(one, field) not in known:
            raise BadConsent(field)
    giver, name = " ".join(one.giver.split()), " ".join(one.recipient_name.split())
    signature = " ".join(one.signature.split())
    for field, text in (("giver", giver), ("recipient_name", name), ("signature", signature)):
        if len(text) > LONGEST_NAME or not text.isprintable():
            raise BadConsent(field)
    if signature and one.method not in WRITTEN:
        raise BadConsent("signature")
    if not 0.0 <= one.given_at <= now:
        raise BadConsent("given_at")
    recipients, scope, expires = _terms(one)
    return Consent(
        one.participant, one.purpose, one.method, one.given_at, recipients, scope, expires, None,
        one.wording, one.language, giver, name, one.id, signature,
    )  # fmt: skip


def usual(purpose: str, given_at: float) -> tuple[tuple[str, ...], tuple[str, ...], float]:
    """Recipients, scope and end of a consent that nobody shaped otherwise."""
    return RECIPIENTS_OF[purpose][:1], SCOPE[purpose], given_at + DAYS[purpose] * DAY


def _terms(one: Consent) -> tuple[tuple[str, ...], tuple[str, ...], float | None]:
    if one.method not in GIVEN:
        return (), (), None
    if not one.recipients or not set(one.recipients) <= set(RECIPIENTS_OF[one.purpose]):
        raise BadConsent("recipients")
    if not set(one.scope) <= set(CONTENT) or (one.purpose != "assessment" and not one.scope):
        raise BadConsent("scope")
    if SUBSTANCES in one.scope and one.method not in WRITTEN:
        raise BadConsent("method")
    if one.expires_at is None or not 0.0 < one.expires_at - one.given_at <= LONGEST:
        raise BadConsent("expires_at")
    recipients = tuple(code for code in RECIPIENTS if code in one.recipients)
    return recipients, tuple(code for code in CONTENT if code in one.scope), one.expires_at


def _newest(consents: Iterable[Consent], participant: str, wanted: Disclosure) -> Consent | None:
    """The last word of a participant about this purpose and recipient, said before that time."""
    about = [
        one
        for one in consents
        if one.participant == participant
        and one.purpose == wanted.purpose
        and one.given_at <= wanted.at
        and (one.method not in GIVEN or wanted.recipient in one.recipients)
    ]
    # of two at one moment the one that allows less is the last word
    return max(about, key=lambda one: (one.given_at, not _allows(one, wanted)), default=None)


def _allows(one: Consent, wanted: Disclosure) -> bool:
    if one.state(wanted.at) != "given" or wanted.recipient not in one.recipients:
        return False
    if SUBSTANCES in wanted.content and one.method not in WRITTEN:
        return False
    return wanted.content <= set(one.scope)
