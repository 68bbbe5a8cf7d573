"""The roster's addresses, with who may ask."""

from __future__ import annotations

from auth.policy import Action
from web import calendars, roster, shifts
from web.routes import Route, Who

_MANAGE = (Action.ROSTER_MANAGE,)
_OWN = (Action.ROSTER_SWAP,)


def routes() -> list[Route]:
    """The manager's pages, the clinicians' own, and the calendars' private addresses."""
    one, shift = "/manager/roster", "/manager/roster/shifts"
    return [
        Route("GET", one, roster.week_page, Who.PERSON, _MANAGE),
        Route("GET", shift, roster.shifts_page, Who.PERSON, _MANAGE),
        Route("POST", shift, roster.add_shift, Who.PERSON, _MANAGE),
        Route("GET", f"{shift}/{{id}}", roster.edit_page, Who.PERSON, _MANAGE),
        Route("POST", f"{shift}/{{id}}", roster.edit_shift, Who.PERSON, _MANAGE),
        Route("POST", f"{shift}/{{id}}/end", roster.end_shift, Who.PERSON, _MANAGE),
        Route("POST", f"{one}/overrides", roster.add_override, Who.PERSON, _MANAGE),
        Route("POST", f"{one}/overrides/{{id}}/end", roster.end_override, Who.PERSON, _MANAGE),
        Route("POST", f"{one}/swaps/{{id}}/assign", roster.assign, Who.PERSON, _MANAGE),
        Route("GET", f"{one}/calendar", calendars.page, Who.PERSON, _MANAGE),
        Route("GET", "/manager/roster.ics", calendars.download, Who.PERSON, _MANAGE),
        Route("POST", f"{one}/feeds", calendars.make_feed, Who.PERSON, _MANAGE, "feed"),
        Route("POST", f"{one}/feeds/{{id}}/revoke", calendars.revoke_feed, Who.PERSON, _MANAGE),
        Route(
            "POST", f"{one}/import", calendars.preview, Who.PERSON, _MANAGE,
            largest=calendars.LARGEST_BODY,
        ),
        Route(
            "POST", f"{one}/import/apply", calendars.bring_in, Who.PERSON, _MANAGE,
            largest=calendars.LARGEST_BODY,
        ),
        Route("GET", "/shifts", shifts.mine, Who.PERSON, _OWN),
        Route("GET", "/shifts/offer", shifts.offer_page, Who.PERSON, _OWN),
        Route("POST", "/shifts/offer", shifts.offer, Who.PERSON, _OWN),
        Route("POST", "/shifts/offers/{id}/take", shifts.take, Who.PERSON, _OWN),
        Route("POST", "/shifts/offers/{id}/refuse", shifts.refuse, Who.PERSON, _OWN),
        Route("POST", "/shifts/offers/{id}/withdraw", shifts.withdraw, Who.PERSON, _OWN),
        Route("GET", "/shifts.ics", calendars.download_own, Who.PERSON, _OWN),
        Route("POST", "/shifts/feeds", calendars.make_own_feed, Who.PERSON, _OWN, "feed"),
        Route("POST", "/shifts/feeds/{id}/revoke", calendars.revoke_own_feed, Who.PERSON, _OWN),
        Route("GET", "/calendar/{name}", calendars.feed, Who.ANYBODY, limit="feed"),
    ]  # fmt: skip
