"""What each message does: one table from message type to handler, checked once.

Every handler takes (desk, actor, stream, message) and gives the data of its `ack`. The socket has
already checked that this kind of page may send it; the handler checks that this session is this
actor's, and the state machine that it may happen now.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from signaling import consent_commands as consent
from signaling import console_commands as console
from signaling import device_commands as device
from signaling import guest_commands as guest
from signaling import guest_wire, on_record, party_wire, wire
from signaling import party_commands as party
from signaling import person_commands as person
from signaling import scene_commands as scene
from signaling import shared_commands as shared
from signaling import tablet_commands as tablet

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.desk import Desk
    from signaling.hub import Stream

Handler = Callable[["Desk", "Actor", Any, Any], Awaitable[dict[str, object]]]

HANDLERS: dict[type, Handler] = {
    wire.Beat: shared.beat,
    wire.SessionEnd: shared.end,
    wire.ChatSend: shared.send_chat,
    wire.MediaDescribe: shared.describe_media,
    wire.MediaRelay: shared.relay_media,
    wire.MediaState: shared.state_media,
    wire.MediaSaver: shared.choose_saver,
    wire.MediaStill: shared.show_still,
    wire.StillGot: shared.got_still,
    wire.ShiftOfficers: device.list_officers,
    wire.TabletReport: device.keep_report,
    wire.SessionOpen: tablet.open_session,
    wire.SessionIntake: tablet.tell_intake,
    wire.SessionLanguage: tablet.tell_language,
    wire.SessionPlace: tablet.tell_place,
    wire.SessionCamera: tablet.tell_camera,
    wire.SessionVoice: tablet.choose_voice,
    wire.SessionCancel: tablet.cancel,
    wire.HandoverStart: tablet.hand_over,
    wire.HandoverEnd: tablet.take_back,
    wire.CardAcknowledge: tablet.acknowledge_card,
    wire.SessionOtherwise: tablet.tell_otherwise,
    wire.DispositionRecord: tablet.record_disposition,
    wire.DispositionLater: tablet.postpone_disposition,
    wire.SessionHold: console.hold,
    wire.ActivitySet: console.set_activity,
    wire.OfferDelivered: console.offer_delivered,
    wire.OfferAccept: console.accept,
    wire.OfferDecline: console.decline,
    wire.MissedRead: console.missed_read,
    party_wire.TransferAsk: party.ask,
    party_wire.TransferConfirm: party.confirm,
    party_wire.TransferCallOff: party.call_off,
    party_wire.TransferTake: party.take,
    party_wire.SessionRequeue: party.requeue,
    party_wire.SessionTakeOver: party.take_over,
    party_wire.SessionListen: party.listen,
    party_wire.PartyLeave: party.leave,
    party_wire.PartyHold: party.hold,
    party_wire.PartyRemove: party.remove,
    guest_wire.GuestInvite: guest.invite,
    guest_wire.GuestRevoke: guest.revoke,
    guest_wire.GuestJoin: guest.join,
    guest_wire.GuestLeave: guest.leave,
    wire.SceneTell: scene.tell,
    wire.SceneOverdose: scene.tell_doses,
    wire.AssessmentSave: console.save_assessment,
    wire.CardSave: console.save_card,
    wire.WrapupSave: console.save_wrapup,
    wire.PersonSave: person.save_by_page,
    wire.ConsentSave: consent.save_by_page,
    wire.ConsentAsk: consent.ask_on_tablet,
    wire.ConsentCallOff: consent.call_off,
    wire.ConsentAnswer: consent.answer_on_tablet,
    wire.WrapupFinish: console.finish_wrapup,
}


async def dispatch(desk: Desk, stream: Stream, command: wire.Command) -> dict[str, object]:
    """Carry out one command for the stream's actor."""
    return await carry_out(desk, stream.actor, stream, command)


async def carry_out(
    desk: Desk, actor: Actor, stream: Stream | None, command: wire.Command
) -> dict[str, object]:
    """The same for a page of another process, whose stream is not here. It leaves its entry."""
    async with on_record.command(desk, actor, command):
        return await HANDLERS[type(command)](desk, actor, stream, command)
