"""The messages of the WebSocket protocol, both ways; the single source of docs/protocol.md.

Rules of this file:
1. Every message is a tagged struct; unknown types and fields and wrong types are refused whole.
2. Browser to server: `id` is 1, 2, 3 … within one stream. The server answers each with `ack` or
   `error` naming it in `re`. A repeated id gets its stored answer again and changes nothing.
3. Server to browser: `n` is 1, 2, 3 … within one stream. A browser that reconnects names the last
   one it saw in `hello` and gets the rest, or a fresh snapshot when the rest is no longer kept.
4. State travels as whole snapshots (`tablet`, `console`), so a lost edge never leaves a page wrong.
5. Times are UTC seconds since the epoch, as numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from signaling import alike
from signaling.guest_wire import GuestCommand, GuestView
from signaling.party_wire import PartyCommand
from signaling.shapes import (
    Activity,
    Card,
    Code,
    ConsentSaid,
    ConsoleSession,
    Dose,
    LiveRow,
    Me,
    MissedRow,
    OfferView,
    Option,
    PictureStep,
    Response,
    TabletSession,
    Text,
    WaitingRow,
    WrapupDraft,
    YesOrNo,
)
from signaling.wire_base import Audience as Audience
from signaling.wire_base import Base64Url, Description, Epoch, Id, Key, Number, ShortText
from signaling.wire_base import ClientMessage as ClientMessage
from signaling.wire_base import ServerMessage as ServerMessage

PROTOCOL = 1
MAX_MESSAGE = 128 * 1024  # bytes; a description is at most 64 KiB

# --- browser to server ----------------------------------------------------------------------------


class Hello(Struct, frozen=True, forbid_unknown_fields=True, tag="hello", tag_field="type"):
    """The first message on every socket: which page, which stream, and what it saw last."""

    protocol: int
    page: Audience
    stream: Id  # made by the page when it loads; names its numbered sequence on the server
    last: Number = 0  # the last `n` seen on this stream
    proves: bool = False  # a tablet's page that answers a `challenge`


class Proof(Struct, frozen=True, forbid_unknown_fields=True, tag="proof", tag_field="type"):
    """The answer to a `challenge`: signed with the key that this browser keeps and cannot give out.

    Without a signature: this browser keeps none. `key` is the public half, where it was asked for.
    """

    signature: Base64Url | None = None
    key: Base64Url | None = None


class Beat(ClientMessage, frozen=True, tag="beat"):
    """The page is alive; a console's beat renews its presence lease. Every 5 s."""

    audience = ("tablet", "console", "guest")


class ShiftOfficers(ClientMessage, frozen=True, tag="shift.officers"):
    """Who may check this tablet out: `ack` has `officers`, each with `id` and `name`."""

    audience = ("tablet",)


Ability = Literal["granted", "denied", "prompt", "missing", "unknown"]
Found = Literal["ok", "weak", "failed", "waiting"]
Label = Annotated[str, Meta(max_length=40, pattern="^[A-Za-z0-9 ._-]*$")]


class SelfTestResults(Struct, frozen=True, forbid_unknown_fields=True):
    """What a test call found out; `waiting`: it ended before that was known."""

    picture: Found
    microphone: Found
    upload: Found
    heard: Found
    relay: Found | None = None  # null: there is none


class TabletReport(ClientMessage, frozen=True, tag="device.report"):
    """What this tablet is like, for the manager's page; the newest one is kept.

    When it connects, when something changes, after a self-test; `too-many` within 5 seconds.
    """

    audience = ("tablet",)
    browser: Label
    system: Label
    build: Annotated[str, Meta(max_length=40, pattern="^[0-9a-f]*$")]  # of the page
    camera: Ability
    microphone: Ability
    storage: Literal["lasting", "passing", "none"]
    battery: Annotated[int, Meta(ge=0, le=100)] | None = None
    charging: bool | None = None
    test: SelfTestResults | None = None  # a self-test that has just ended


class SessionOpen(ClientMessage, frozen=True, tag="session.open"):
    """The press. `key` makes it happen once, however often it is sent."""

    audience = ("tablet",)
    key: Key
    voice_only: bool = False
    test: bool = False


class SessionIntake(ClientMessage, frozen=True, tag="session.intake"):
    """Up to three tiles, tapped while it rings; replaces what was tapped before."""

    audience = ("tablet",)
    session: Id
    tiles: Annotated[list[Code], Meta(max_length=3)]


class SessionLanguage(ClientMessage, frozen=True, tag="session.language"):
    """The person's language, while it rings; null: English, or not known."""

    audience = ("tablet",)
    session: Id
    language: Code | None = None


class SessionPlace(ClientMessage, frozen=True, tag="session.place"):
    """Where the incident is: a place of the tablet's `places`, by its number from 0. `words`: what
    the officer read there, so that a list that changed meanwhile does not make it another place.
    """

    audience = ("tablet",)
    session: Id
    place: Number
    words: Annotated[str, Meta(max_length=80)] | None = None


class SessionOtherwise(ClientMessage, frozen=True, tag="session.otherwise"):
    """What the officer would have done without the call; refused once the call has begun."""

    audience = ("tablet",)
    session: Id
    otherwise: Code


class SessionCamera(ClientMessage, frozen=True, tag="session.body_camera"):
    """Whether the officer's body camera runs: `muted` records the picture without the sound."""

    audience = ("tablet",)
    session: Id
    camera: Literal["on", "off", "muted"]


class SceneTell(ClientMessage, frozen=True, tag="scene.tell"):
    """What the officer says of the scene, one tap each: go or no-go, and how agitated the person is
    (BARS, 1 to 7). What is not named stays as it was; `null` takes it back. Also afterwards."""

    audience = ("tablet",)
    session: Id
    answers: dict[Literal["safe", "medical", "intoxicated", "willing"], YesOrNo | None] = (
        msgspec.field(default_factory=dict)
    )
    activity: dict[Literal["before", "after"], Activity | None] = msgspec.field(
        default_factory=dict
    )


class SceneOverdose(ClientMessage, frozen=True, tag="scene.overdose"):
    """Naloxone as it was tapped on the overdose card, in place of what was said before; also of
    doses from before the press, and afterwards."""

    audience = ("tablet",)
    session: Id
    doses: Annotated[list[Dose], Meta(max_length=8)]
    response: Response | None = None


class SessionVoice(ClientMessage, frozen=True, tag="session.voice"):
    """Voice only, or picture again."""

    audience = ("tablet",)
    session: Id
    voice_only: bool


class SessionCancel(ClientMessage, frozen=True, tag="session.cancel"):
    """The officer ends a session that nobody has answered, or moves it to the phone."""

    audience = ("tablet",)
    session: Id
    reason: Literal["cancelled_by_officer", "moved_to_phone"] = "cancelled_by_officer"


class SessionEnd(ClientMessage, frozen=True, tag="session.end"):
    """End the call, from either side; the clinician's wrap-up follows."""

    session: Id
    epoch: Epoch


class HandoverStart(ClientMessage, frozen=True, tag="handover.start"):
    """The officer hands the tablet to the person."""

    audience = ("tablet",)
    session: Id
    epoch: Epoch


class HandoverEnd(ClientMessage, frozen=True, tag="handover.end"):
    """The officer takes the tablet back; needs the PIN of the officer on shift."""

    audience = ("tablet",)
    session: Id
    epoch: Epoch
    pin: Annotated[str, Meta(min_length=4, max_length=12, pattern="^[0-9]+$")]


class ChatSend(ClientMessage, frozen=True, tag="chat.send"):
    """A line of text between officer and clinician; never shown while handed over."""

    session: Id
    text: ShortText


class MediaDescribe(ClientMessage, frozen=True, tag="media.describe"):
    """The browser's description; the `ack` carries the bridge's answer in `data.description`."""

    audience = ("tablet", "console", "guest")
    session: Id
    epoch: Epoch  # console: the epoch of its assignment; tablet: any, its leg outlives epochs
    generation: Id  # one per RTCPeerConnection; the same again is a renegotiation
    description: Description
    page: Id | None = None  # console: a name of this window's own, the same for the whole call
    take: bool = False  # it was opened, loaded anew or pressed for the call: any other gives way
    muted: bool | None = None  # as in `media.state`, from this leg's first packet on
    camera: bool | None = None


class MediaRelay(ClientMessage, frozen=True, tag="media.relay"):
    """Asked before a connection is made or restarted when what the page has runs out: the `ack` has
    `servers`, as RTCIceServer, and `expires_at`; no relay: an empty list."""

    audience = ("tablet", "console", "guest")


class MediaState(ClientMessage, frozen=True, tag="media.state"):
    """What this side sends and how well it receives, told to the other side in words.

    The picture of a camera that is off the bridge gives to nobody, whatever comes.
    """

    audience = ("tablet", "console", "guest")
    session: Id
    muted: bool
    camera: bool
    quality: Literal["good", "fair", "poor", "none"] = "good"
    blocked: bool = False  # its network lets neither sound nor picture through, not even relayed
    step: PictureStep = "720p"  # how much picture it sends, as its line allows


class MediaSaver(ClientMessage, frozen=True, tag="media.saver"):
    """Turn the data saver of the session on or off, for both sides: at most still pictures."""

    session: Id
    saver: bool


class SessionHold(ClientMessage, frozen=True, tag="session.hold"):
    """The lead puts the tablet on hold, or takes it off: it then hears and sees nobody."""

    audience = ("console",)
    session: Id
    epoch: Epoch
    held: bool


class MediaStill(ClientMessage, frozen=True, tag="media.still"):
    """One still picture, a JPEG in base64, when the line carries no moving ones; never stored.

    At most one in two seconds; a page sends the next one when this one is answered.
    """

    session: Id
    picture: Annotated[str, Meta(min_length=8, max_length=24_000, pattern="^[A-Za-z0-9+/]+=*$")]


class StillGot(ClientMessage, frozen=True, tag="still.got"):
    """A `still` has arrived; the next one is sent only then, so that a thin line never clogs."""

    audience = ("tablet", "console", "guest")


class CardAcknowledge(ClientMessage, frozen=True, tag="card.acknowledge"):
    audience = ("tablet",)
    session: Id
    rev: Number


class DispositionRecord(ClientMessage, frozen=True, tag="disposition.record"):
    """What actually happened, by the officer; `reason` when it differs from what was advised.

    `flags`: what else is true, of the officer's part of them; said anew, the earlier ones go.
    `number`: under which dispatch knows the incident; without one the known one stays.
    """

    audience = ("tablet",)
    session: Id
    actual: Code
    reason: Code | None = None
    flags: Annotated[tuple[Code, ...], Meta(max_length=8)] = ()
    number: Annotated[str, Meta(max_length=80)] = ""


class DispositionLater(ClientMessage, frozen=True, tag="disposition.later"):
    """Skip for now; the ready screen reminds."""

    audience = ("tablet",)
    session: Id


class ActivitySet(ClientMessage, frozen=True, tag="activity.set"):
    audience = ("console",)
    activity: Literal["available", "paused", "offline"]
    reason: Code | None = None


class OfferDelivered(ClientMessage, frozen=True, tag="offer.delivered"):
    """This console shows and sounds the offer; within 2 s, or it counts as undelivered."""

    audience = ("console",)
    offer: Id


class OfferAccept(ClientMessage, frozen=True, tag="offer.accept"):
    audience = ("console",)
    offer: Id
    token: Key


class MissedRead(ClientMessage, frozen=True, tag="missed.read"):
    """The clinician has read the list of missed rings up to this time."""

    audience = ("console",)
    until: float


class OfferDecline(ClientMessage, frozen=True, tag="offer.decline"):
    audience = ("console",)
    offer: Id
    token: Key
    reason: Code = "busy"


class AssessmentSave(ClientMessage, frozen=True, tag="assessment.save"):
    """Autosave: only the answers that changed, against the revision that the page knows.

    `null` clears an answer. A stale `rev` is refused with `conflict`, and nothing is written.
    Answers stay with the version of the form that the first of them was given to.
    """

    audience = ("console",)
    session: Id
    epoch: Epoch
    instrument: Code
    rev: Number  # 0: nothing saved yet
    answers: dict[Code, str | int | bool | list[str] | None]
    version: Annotated[str, Meta(min_length=1, max_length=16)] | None = None  # that the page shows


class CardSave(ClientMessage, frozen=True, tag="card.save"):
    """Autosave of the draft; with `send`, it also goes to the tablet."""

    audience = ("console",)
    session: Id
    epoch: Epoch
    rev: Number
    card: Card
    send: bool = False


class FollowupDraft(Struct, frozen=True, forbid_unknown_fields=True):
    kind: Code
    owner: Id
    due_at: Annotated[float, Meta(ge=0, le=4102444800)]
    note: Text = ""


class WrapupSave(ClientMessage, frozen=True, tag="wrapup.save"):
    """Autosave of what was chosen and typed for the wrap-up, so that a reload loses nothing.

    A stale `rev` is refused with `conflict`, and nothing is written.
    """

    audience = ("console",)
    session: Id
    epoch: Epoch
    rev: Number  # 0: nothing saved yet
    draft: WrapupDraft


class PersonSave(ClientMessage, frozen=True, tag="person.save"):
    """Who the session is about, as far as it is known; saved whole, like the wrap-up's draft."""

    audience = ("console",)
    session: Id
    rev: Number  # 0: nothing saved yet
    name: Annotated[str, Meta(max_length=200)] = ""
    born: Annotated[str, Meta(max_length=10)] = ""  # ISO date
    alias: Annotated[str, Meta(max_length=200)] = ""


class ConsentSave(ClientMessage, frozen=True, tag="consent.save"):
    """What somebody said to the spoken wording: each decision is added, none is ever changed.

    A stale `rev` is refused with `conflict`, and nothing is written.
    """

    audience = ("console",)
    session: Id
    rev: Number  # how many decisions the page knows
    language: Literal["en", "es"]  # in which the wording was spoken
    said: Annotated[list[ConsentSaid], Meta(min_length=1, max_length=8)]
    giver: Annotated[str, Meta(max_length=200)] = ""  # a guardian's name


class ConsentAsk(ClientMessage, frozen=True, tag="consent.ask"):
    """Put a consent on the tablet, for a signature; in place of what waits there.

    The tablet shows it while it is handed over, so that the person reads it and not the officer.
    """

    audience = ("console",)
    session: Id
    epoch: Number
    participant: Literal["person", "guardian"]
    purpose: Code
    language: Literal["en", "es"]  # in which the person reads it


class ConsentCallOff(ClientMessage, frozen=True, tag="consent.call_off"):
    """Take it off the tablet again."""

    audience = ("console",)
    session: Id
    epoch: Number


class ConsentAnswer(ClientMessage, frozen=True, tag="consent.answer"):
    """Signed with the typed name, or refused; `ask` is the one that was read.

    `substances`: answers about alcohol and drugs too, where the purpose may let such out.
    """

    audience = ("tablet",)
    session: Id
    epoch: Number
    ask: Id
    wording: Annotated[str, Meta(max_length=20)]  # the version that the page shows
    agreed: bool
    name: Annotated[str, Meta(max_length=200)] = ""
    substances: bool = False


class WrapupFinish(ClientMessage, frozen=True, tag="wrapup.finish"):
    """Close the session: recommended disposition is mandatory, each follow-up is owned and due.

    With `sign`, the note is signed and closed in the same step, or nothing is done: `unjustified`
    when a judged level differs from the computed one without a reason.
    """

    audience = ("console",)
    session: Id
    epoch: Epoch
    disposition: Code
    followups: Annotated[list[FollowupDraft], Meta(max_length=20)]
    sign: bool = False
    flags: Annotated[tuple[Code, ...], Meta(max_length=8)] = ()
    opioid: Code = "unknown"
    wellness: bool = False  # the officer called for themselves; what the tablet said stands
    no_followup: Code | None = None  # why nobody follows up; only without any follow-up


Command = (
    Beat
    | ShiftOfficers
    | TabletReport
    | SessionOpen
    | SessionIntake
    | SessionLanguage
    | SessionPlace
    | SessionOtherwise
    | SessionCamera
    | SceneTell
    | SceneOverdose
    | SessionVoice
    | SessionCancel
    | SessionEnd
    | HandoverStart
    | HandoverEnd
    | ChatSend
    | MediaDescribe
    | MediaRelay
    | MediaState
    | MediaSaver
    | MediaStill
    | SessionHold
    | StillGot
    | CardAcknowledge
    | DispositionRecord
    | DispositionLater
    | ActivitySet
    | OfferDelivered
    | OfferAccept
    | OfferDecline
    | MissedRead
    | PartyCommand
    | GuestCommand
    | AssessmentSave
    | CardSave
    | WrapupSave
    | PersonSave
    | ConsentSave
    | ConsentAsk
    | ConsentCallOff
    | ConsentAnswer
    | WrapupFinish
)

# --- server to browser ----------------------------------------------------------------------------


class Challenge(ServerMessage, frozen=True, tag="challenge"):
    """Answer to a tablet's `hello`, before anything is told: sign this, in a `proof`.

    The text to sign has five lines: `crisisbridge tablet proof 1`, `socket`, then `subject`, the
    stream of the `hello`, and `nonce`.
    """

    subject: str  # the tablet's present enrolment
    nonce: str  # of this connection alone
    bind: bool  # no key is bound yet: make one, and send its public half too


class Welcome(ServerMessage, frozen=True, tag="welcome"):
    """Answer to `hello`, or to a good `proof`. `resumed` false: forget all numbers, all follows."""

    protocol: int
    now: float  # the server's clock, for countdowns
    resumed: bool
    expect: int  # the id that the server expects next from this stream
    beat_seconds: float


class Ack(ServerMessage, frozen=True, tag="ack"):
    re: int
    data: Mapping[str, object] = {}


class Error(ServerMessage, frozen=True, tag="error"):
    """`code` is stable and for programs; `message` is for people and says what to do next."""

    re: int | None
    code: str
    message: str
    data: Mapping[str, object] = {}


class TabletView(ServerMessage, frozen=True, tag="tablet"):
    """All that the tablet shows."""

    agency: str
    unit: str
    officer: str | None  # None: nobody has checked this tablet out
    regional_line: str
    provider_line: str
    tiles: list[str]
    ready_clinicians: int
    on_call: bool  # whether the roster has anybody now
    comes_on: float | None  # with nobody on call: when the next clinician comes on, if planned
    timezone: str  # the agency's, for such times
    places: list[str]  # where its officers may be, its own county first
    session: TabletSession | None
    owed: str | None  # id of a finished session whose actual disposition is still missing


class ConsoleView(ServerMessage, frozen=True, tag="console"):
    """All that the console shows.

    `session` is the one that I lead, sit in, or owe a wrap-up; `live` is empty but for supervisors,
    `owners` without a session. `waiting` and `colleagues` are the first of so many in all. While
    the page is `covered` nobody's affairs are in it: what rings is told by its number alone, and
    the rest is empty.
    """

    me: Me
    waiting: Sequence[WaitingRow]
    waiting_total: int
    offers: list[OfferView]
    missed: list[MissedRow]
    session: ConsoleSession | None
    colleagues: Sequence[Me]
    colleagues_total: int
    live: list[LiveRow]
    owners: Sequence[Option]
    covered: bool = False


class OfferRung(ServerMessage, frozen=True, tag="offer"):
    """A session is held out to this clinician: told at once, before the snapshot that has it too.

    A snapshot that was read a moment earlier may lack it; it rings all the same.
    """

    offer: OfferView


class OfferGone(ServerMessage, frozen=True, tag="offer.gone"):
    """An offer stopped ringing. `taken`: read who took it; never shown as an error."""

    offer: str
    session: str
    reason: str  # taken | cancelled | expired | undelivered | accepted | declined
    by: str | None


class SessionMoved(ServerMessage, frozen=True, tag="session.moved"):
    """You led this session; somebody else does now, or the line has it. Never an error."""

    session: str
    how: str  # handed_on | sender_lost | taken_over
    by: str | None  # short name of who leads now


class Passed(ServerMessage, frozen=True, tag="passed"):
    """In the place of a snapshot that a page missed and that a later one replaces."""


class MediaRebuild(ServerMessage, frozen=True, tag="media.rebuild"):
    """The bridge lost this side's leg, or the process that carried it: describe it anew."""

    session: str


class StillSeen(ServerMessage, frozen=True, tag="still"):
    """A still picture of the other side. Not numbered and not kept: it comes only when nothing else
    waits to be sent, and is worth nothing later."""

    session: str
    seat: str
    picture: str  # a JPEG in base64


class Bye(ServerMessage, frozen=True, tag="bye"):
    """The server closes this socket. `retry` false: do not come back with this sign-in."""

    reason: str  # replaced | signed-out | revoked | draining | too-slow
    retry: bool


Event = (
    Challenge
    | Welcome
    | Ack
    | Error
    | TabletView
    | ConsoleView
    | GuestView
    | OfferRung
    | OfferGone
    | SessionMoved
    | MediaRebuild
    | StillSeen
    | Bye
)

_hello = msgspec.json.Decoder(Hello)
_proof = msgspec.json.Decoder(Proof)
_command = msgspec.json.Decoder(Command)
_encoder = msgspec.json.Encoder(enc_hook=alike.encoded)


T = TypeVar("T")


def parse_hello(raw: str | bytes) -> Hello:
    """The opening message of a socket. Raises msgspec.DecodeError or ValidationError."""
    return _read(_hello, raw)


def parse_proof(raw: str | bytes) -> Proof:
    """The answer to a challenge. Raises msgspec.DecodeError or ValidationError."""
    return _read(_proof, raw)


def parse_command(raw: str | bytes) -> Command:
    """One later message. Raises msgspec.DecodeError or ValidationError; nothing is half-parsed."""
    command: Command = _read(_command, raw)
    return command


def _read(decoder: msgspec.json.Decoder[T], raw: str | bytes) -> T:
    """What is nested too deeply, or is no text, is as malformed as anything else."""
    try:
        return decoder.decode(raw)
    except (RecursionError, UnicodeError) as error:
        raise msgspec.DecodeError("nested too deeply, or no text") from error


def encode(message: ServerMessage) -> str:
    """The JSON text of a message, outside the numbered sequence."""
    return _encoder.encode(message).decode()


def numbered(text: str, n: int) -> str:
    """The text of a message as number `n` of a stream. A message is an object with a type."""
    return f'{{"n":{n},{text[1:]}'
