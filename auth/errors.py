"""Errors of identity and permission; each has a stable code, an HTTP status and a safe sentence.

A sentence never says which part was wrong where that would tell a stranger who exists.
"""

from __future__ import annotations

from typing import ClassVar


class AuthError(Exception):
    """Base of everything that this package refuses. The message is safe to show."""

    code: ClassVar[str] = "auth-error"
    status: ClassVar[int] = 400
    sentence: ClassVar[str] = "That was not allowed."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or self.sentence)


# --- signing in -----------------------------------------------------------------------------------


class BadCredentials(AuthError):
    """Wrong e-mail or password, or nobody of that name: the two cannot be told apart."""

    code = "bad-credentials"
    status = 401
    sentence = "The e-mail or the password is not right."


class Locked(AuthError):
    """Five failures within 15 minutes; an administrator must release the account."""

    code = "locked"
    status = 423
    sentence = "Too many wrong tries. This sign-in is locked until an administrator releases it."


class NotSignedIn(AuthError):
    """No sign-in, or one that this server did not issue; sign in."""

    code = "not-signed-in"
    status = 401
    sentence = "Sign in to go on."


class LoginExpired(AuthError):
    """The sign-in is older than its time; sign in again."""

    code = "login-expired"
    status = 401
    sentence = "Your sign-in has run out. Sign in again."


class Revoked(AuthError):
    """Signed out elsewhere, or the account was closed; sign in again."""

    code = "login-revoked"
    status = 401
    sentence = "This sign-in was ended. Sign in again."


class Copied(AuthError):
    """A used token was shown again: two browsers have this sign-in, so it was ended. Sign in again
    and tell an administrator. `login_id` and `person_id` are for the log."""

    code = "login-copied"
    status = 401
    sentence = "This sign-in was used in two places, so it was ended. Sign in again."

    def __init__(self, login_id: str = "", person_id: str = "") -> None:
        super().__init__()
        self.login_id = login_id
        self.person_id = person_id


class SecondFactorNeeded(AuthError):
    """The password is right; a code or a passkey is still needed. `token` is for a cookie."""

    code = "second-factor-needed"
    status = 401
    sentence = "Enter a code of your app, or use a passkey."

    def __init__(self, token: str = "") -> None:
        super().__init__()
        self.token = token


class FactorMissing(AuthError):
    """Signed in by password alone where that is not enough; set up a passkey or an app first."""

    code = "factor-missing"
    status = 403
    sentence = "Set up a passkey or an app first."


class Covered(AuthError):
    """Nobody was seen for a while, so the pages are covered; prove who you are to go on."""

    code = "pages-covered"
    status = 423
    sentence = "Your pages are covered, because nobody was seen for a while. Uncover them first."


class ProofNeeded(AuthError):
    """What is about to change decides who can sign in; prove who you are first."""

    code = "proof-needed"
    status = 403
    sentence = "Prove first that it is you."


class BadSecondFactor(AuthError):
    """A wrong, used or old code, or a passkey that was not accepted; nothing says which."""

    code = "bad-second-factor"
    status = 401
    sentence = "That was not accepted. Wait for the next code, or use another way."


class BadPasskey(AuthError):
    """Not a passkey of ours, or its answer does not fit; try again or use the password."""

    code = "bad-passkey"
    status = 401
    sentence = "This passkey was not accepted. Try again, or use your password."


class NotYourTablet(AuthError):
    """The passkey is right, but its owner is no officer of this agency; use name and PIN."""

    code = "not-your-tablet"
    status = 403
    sentence = "This passkey's owner is not an officer of this agency. Use a name and PIN of it."


class NoPasskeysHere(AuthError):
    """Passkeys belong to a name, and this page was opened by a number; open it by its name."""

    code = "no-passkeys-here"
    status = 409
    sentence = "Passkeys do not work at this address. Open the page by its name."


class LastFactor(AuthError):
    """The last second factor cannot be taken away; add another one first."""

    code = "last-factor"
    status = 409
    sentence = "This is your last way to prove who you are. Add another one first."


class TooManyFactors(AuthError):
    """More passkeys or apps than one person can have; remove one first."""

    code = "too-many-factors"
    status = 409
    sentence = "You have as many of these as one person can have. Remove one first."


class BadInvitation(AuthError):
    """Unknown, used, taken back or older than its time; ask an administrator for a new one."""

    code = "bad-invitation"
    status = 410
    sentence = "This invitation does not work any more. Ask for a new one."


class BadPerson(AuthError):
    """Correct the named field of the person; nothing was changed."""

    code = "bad-person"
    status = 422
    sentence = "One field of the person cannot be used. Nothing was changed."

    def __init__(self, field: str = "") -> None:
        super().__init__()
        self.field = field


class NotYourself(AuthError):
    """Nobody takes their own access away by mistake; another administrator can."""

    code = "not-yourself"
    status = 409
    sentence = "You cannot change that for yourself. Another administrator can."


class TooManyPlaces(AuthError):
    """An agency has no room for another place."""

    code = "too-many-places"
    status = 422
    sentence = "An agency has at most 60 other counties. Nothing was saved."


class InACall(AuthError):
    """The person is in a call, which the change would end; wait until it is over."""

    code = "in-a-call"
    status = 409
    sentence = "This person is in a call. Change that when it is over."


class WeakPassword(AuthError):
    """Choose a longer or less common password."""

    code = "weak-password"
    status = 422
    sentence = (
        "Choose a password of 8 to 128 characters that is not a common one, your own name or "
        "address, or the name of your organization."
    )


class WeakPin(AuthError):
    """Choose a PIN that cannot be guessed at sight."""

    code = "weak-pin"
    status = 422
    sentence = "Choose a PIN of 4 to 12 digits that is not a run or one digit repeated."


class TooBusy(AuthError):
    """Too many passwords are being checked at this moment; try again."""

    code = "sign-in-busy"
    status = 503
    sentence = "Many people are signing in at once. Try again in a moment."


# --- single sign-on -------------------------------------------------------------------------------


class BadSignOn(AuthError):
    """What came back from the directory does not fit what was asked; nothing was changed."""

    code = "sign-on-bad"
    status = 401
    sentence = "What your directory answered was not accepted."


class SignOnAway(AuthError):
    """The directory does not answer, or says that it cannot; try again, or sign in another way."""

    code = "sign-on-away"
    status = 503
    sentence = "Your directory does not answer at this moment."


class SignOnClock(AuthError):
    """The clocks of the two servers differ by more than a minute; an operator must look."""

    code = "sign-on-clock"
    status = 401
    sentence = "The clock of this server, or of your directory, is wrong."


class SignOnStale(AuthError):
    """Begun too long ago, or in another browser; begin again."""

    code = "sign-on-stale"
    status = 401
    sentence = "This sign-in took too long, or was begun in another window."


class SignOnUsed(AuthError):
    """The same answer came a second time; begin again."""

    code = "sign-on-used"
    status = 401
    sentence = "This answer of your directory was used already."


class SignOnRefused(AuthError):
    """The person, or the directory, said no; nothing was changed."""

    code = "sign-on-refused"
    status = 401
    sentence = "Your directory did not let you sign in."


class NotInGroup(AuthError):
    """None of the person's groups is one that gives a role here."""

    code = "sign-on-no-group"
    status = 403
    sentence = "Your directory knows you, but none of your groups has access here."


class GroupsConflict(AuthError):
    """The person's groups lie in two organisations; somebody belongs to one."""

    code = "sign-on-groups-conflict"
    status = 403
    sentence = "Your groups belong to two different organizations."


class GroupsUnknown(AuthError):
    """The directory left the groups out, because there are too many; nothing was changed."""

    code = "sign-on-groups-unknown"
    status = 403
    sentence = "Your directory did not say which groups you are in."


class SignOnIncomplete(AuthError):
    """The directory gave no name or no e-mail for somebody who is new here."""

    code = "sign-on-incomplete"
    status = 403
    sentence = "Your directory gave no name or no e-mail address for you."


class EmailTaken(AuthError):
    """Somebody has an account of this e-mail, which is no proof that it is the same person."""

    code = "sign-on-email-taken"
    status = 409
    sentence = "There is an account with your e-mail address already."


class OtherPerson(AuthError):
    """The directory answered for somebody else than the person who is signed in."""

    code = "sign-on-other-person"
    status = 403
    sentence = "Your directory answered for another person."


class NotAskedAnew(AuthError):
    """The directory did not ask again who it is, although it was told to."""

    code = "sign-on-not-anew"
    status = 401
    sentence = "Your directory did not ask you again who you are."


class ByDirectory(AuthError):
    """This person signs in by their directory alone."""

    code = "sign-on-only"
    status = 403
    sentence = "You sign in by your directory. Use its button on the sign-in page."


# --- tablets and shifts ---------------------------------------------------------------------------


class BadCode(AuthError):
    """Unknown, used or expired enrolment code; ask for a new one."""

    code = "bad-code"
    status = 401
    sentence = "This code is not valid any more. Ask for a new one."


class NotEnrolled(AuthError):
    """No enrolment, or one that this server did not issue; enrol the tablet."""

    code = "not-enrolled"
    status = 401
    sentence = "This tablet is not set up. Enter a set-up code."


class TabletRevoked(AuthError):
    """Replaced by a newer enrolment, or revoked; enrol the tablet again."""

    tablet_id: str | None = None
    code = "tablet-revoked"
    status = 401
    sentence = "This tablet's set-up was ended. Enter a new set-up code."


class KeyNeeded(AuthError):
    """The device has not proved that it holds the tablet's key: renew it by PIN, or enrol anew."""

    code = "tablet-key-needed"
    status = 401
    sentence = "This browser has lost the tablet's key. Set the tablet up again."


class StaleProof(AuthError):
    """The challenge was used before, or is too old; ask for a fresh one and sign that."""

    code = "stale-proof"
    status = 409
    sentence = "That took too long. Try again."


class BadKey(AuthError):
    """Not a public key of the curve P-256; nothing was kept."""

    code = "bad-key"
    status = 422
    sentence = "This browser made a key that cannot be used. Use another browser."


class KeyRequired(AuthError):
    """Tablets need a key here, and this browser made none; the code is not used up."""

    code = "key-required"
    status = 422
    sentence = "This browser cannot keep a key. Leave private mode, or use another browser."


class BadPin(AuthError):
    """Wrong PIN, or not an officer of this agency: the two cannot be told apart."""

    code = "bad-pin"
    status = 401
    sentence = "The PIN is not right."


class PinLocked(AuthError):
    """Five wrong PINs within 15 minutes; the call goes on, an administrator releases the PIN."""

    code = "pin-locked"
    status = 423
    sentence = (
        "Too many wrong tries. This PIN is locked until an administrator releases it. "
        "The call goes on; another officer can check in with their own PIN."
    )


class NoShift(AuthError):
    """Nobody has checked this tablet out."""

    code = "no-shift"
    status = 409
    sentence = "Nobody has checked this tablet out."


class ShiftInUse(AuthError):
    """The tablet is in a session; end the call first."""

    code = "shift-in-use"
    status = 409
    sentence = "The tablet is in a call. End the call before checking it in."


# --- permission -----------------------------------------------------------------------------------


class Forbidden(AuthError):
    """The role does not allow this; nothing was done."""

    code = "forbidden"
    status = 403
    sentence = "Your role does not allow this."


class NoSuchRecord(AuthError):
    """Unknown, or out of your scope: the two cannot be told apart."""

    code = "no-such-record"
    status = 404
    sentence = "There is no such record here."


class Objected(AuthError):
    """The person, or the guardian, said no to sharing with who treats next, or took it back."""

    code = "sharing-refused"
    status = 409
    sentence = (
        "Somebody who decides said no to sharing this with who treats next, or took it back. "
        "Nothing was given out."
    )


class CrossSite(AuthError):
    """The request comes from another site, or its form is too old; reload the page."""

    code = "cross-site"
    status = 403
    sentence = "This form is out of date. Reload the page and try again."


class AuditFailed(AuthError):
    """The audit entry could not be written, so the record was not shown; tell an administrator."""

    code = "audit-failed"
    status = 503
    sentence = (
        "The record cannot be shown, because reading it could not be logged. Calls still work."
    )


# --- other programs -------------------------------------------------------------------------------


class BadToken(AuthError):
    """No token, or one that is unknown, has run out, was taken back, or lost its maker's right."""

    code = "bad-token"
    status = 401
    sentence = "This token does not work: it is unknown, has run out, or was taken back."


class BadField(AuthError):
    """Correct the named field of a token or an address; nothing was made."""

    code = "bad-field"
    status = 422
    sentence = "One field of the form cannot be used. Nothing was made."

    def __init__(self, field: str = "") -> None:
        super().__init__()
        self.field = field


class NoScope(AuthError):
    """The token was made without the scope that this address needs."""

    code = "no-scope"
    status = 403
    sentence = "This token was not made for this. Its maker can make another one with more scopes."


# --- guests ---------------------------------------------------------------------------------------


class BadLink(AuthError):
    """Not a link of ours, or used, run out or taken back; ask who sent it for a new one."""

    code = "bad-link"
    status = 410
    sentence = "This link does not work any more. Ask the clinician for a new one."


class LinkEnded(AuthError):
    """The guest was put out, or the call is over."""

    code = "link-ended"
    status = 410
    sentence = "This call is over for you. Thank you for your help."
