"""Whom a session rings: the manager's page, its forms, and what they refuse."""

from __future__ import annotations

from sqlalchemy import select

from records import catchments, clinicians, directory, schema
from records.catchments import Place, SettingsRow
from records.clinicians import LicenceRow, Profile
from records.directory import Person
from tests.web.cast import AWAY_MANAGER, NOW, PASSWORD, Site
from web.dev import cast as demo

ADDRESS = "/manager/matching"
BASE = f"{ADDRESS}/{demo.PROVIDER_ID}"
DANA = f"{BASE}/people/{demo.DANA.id}"
PROFILE = {
    "licence_type": "LPC",
    "licence_state": "ND",
    "licence_number": "77",
    "licence_until": "2099-05-01",
    "licence_compact": "",
    "language": "es",
    "speciality": "trauma",
    "adult": "1",
}
RING = {
    "ring": "one",
    "after_speciality": "5",
    "after_language": "",
    "after_age_group": "90",
    "after_licence_state": "40",
}


async def stored(site: Site) -> tuple[list[str], SettingsRow | None, Person]:
    async with site.services.db.read() as conn:
        rows = await catchments.catchments(conn)
        own = (await catchments.settings(conn)).get(demo.PROVIDER_ID)
        who = await directory.read(conn)
    here = [f"{r.place.county}/{r.place.state}/{r.rank}" for r in rows]
    return here, own, who.people[demo.DANA.id]


async def audited(site: Site, action: str) -> list[str]:
    async with site.services.db.read() as conn:
        found = await conn.execute(
            select(schema.audit.c.outcome).where(schema.audit.c.action == action)
        )
        return list(found.scalars())


async def test_a_manager_adds_a_place_and_takes_it_away_again(site: Site) -> None:
    await site.sign_in(demo.LENA)
    for rank in ("1", "3"):
        form = {"county": " Adams ", "state": "ND", "rank": rank}
        answer = await site.post(f"{BASE}/places/add", form, ADDRESS)
        assert answer.status == 303
    assert "Adams/ND/3" in (await stored(site))[0]
    assert "Adams/ND/1" not in (await stored(site))[0]
    gone = {"county": "adams", "state": "ND"}
    assert (await site.post(f"{BASE}/places/remove", gone, ADDRESS)).status == 303
    assert "Adams/ND/3" not in (await stored(site))[0]
    assert (await site.post(f"{BASE}/places/remove", gone, ADDRESS)).status == 404
    assert await audited(site, "matching.add_place") == ["allowed", "allowed"]


async def other_places(site: Site) -> list[str]:
    async with site.services.db.read() as conn:
        found = (await catchments.places(conn)).get(demo.AGENCY_ID, [])
    return [one.words for one in found]


async def test_a_manager_says_where_an_agency_s_officers_may_be(site: Site) -> None:
    await site.sign_in(demo.LENA)
    places = f"{BASE}/agencies/{demo.AGENCY_ID}"
    adams = {"county": " Adams ", "state": "ND"}
    own = {"county": demo.COUNTY.upper(), "state": demo.STATE}  # there without being listed
    for form in (adams, {"county": "Brown", "state": "SD"}, adams, own):
        changes = site.desk.roster_changes
        assert (await site.post(f"{places}/add", form, ADDRESS)).status == 303
        assert site.desk.roster_changes == changes + 1, "tablets and the line follow at once"
    assert await other_places(site) == ["Brown, SD", "Adams, ND"]
    assert "Adams, ND" in await (await site.client.get(ADDRESS)).text()
    for wrong in ({"county": " ", "state": "SD"}, {"county": "Adams", "state": "XX"}):
        assert (await site.post(f"{places}/add", wrong, ADDRESS)).status == 422
    gone = {"county": "ADAMS", "state": "ND"}
    assert (await site.post(f"{places}/remove", gone, ADDRESS)).status == 303
    assert await other_places(site) == ["Brown, SD"]
    assert (await site.post(f"{places}/remove", gone, ADDRESS)).status == 404
    many = [Place(f"County {number}", "SD") for number in range(60)]
    await site.services.db.write(lambda conn: catchments.replace_places(conn, demo.AGENCY_ID, many))
    assert (await site.post(f"{places}/add", adams, ADDRESS)).status == 422
    assert len(await other_places(site)) == 60
    assert await audited(site, "matching.set_places") == ["allowed"] * 5


async def test_a_clinician_is_saved_as_a_whole_and_shown(site: Site) -> None:
    await site.sign_in(demo.LENA)
    answer = await site.post(DANA, PROFILE, ADDRESS)
    assert answer.status == 303
    dana = (await stored(site))[2]
    assert [(one.type, one.state) for one in dana.licences] == [("LPC", "ND")]
    assert (dana.languages, dana.specialities) == (frozenset({"es"}), frozenset({"trauma"}))
    assert (dana.serves_adult, dana.serves_juvenile) == (True, False)
    text = await (await site.client.get(ADDRESS)).text()
    assert "last valid day 2099-05-01" in text
    assert 'value="2099-05-01"' in text
    assert await audited(site, "matching.set_person") == ["allowed"]


async def test_the_ring_style_and_the_steps_are_saved_in_order_of_their_times(site: Site) -> None:
    await site.sign_in(demo.LENA)
    assert (await site.post(f"{BASE}/ring", RING, ADDRESS)).status == 303
    own = (await stored(site))[1]
    assert own is not None
    assert own.ring == "one"
    steps = [step[0] for step in own.relaxations or ()]
    assert steps == ["speciality", "licence_state", "age_group"]
    back = {**RING, "default": "1"}
    assert (await site.post(f"{BASE}/ring", back, ADDRESS)).status == 303
    own = (await stored(site))[1]
    assert own is not None
    assert (own.ring, own.relaxations) == ("one", None)


async def test_what_cannot_be_used_is_said_and_nothing_is_saved(site: Site) -> None:
    await site.sign_in(demo.LENA)
    before = await stored(site)
    for address, form in (
        (f"{BASE}/places/add", {"county": "Adams", "state": "XX", "rank": "1"}),
        (f"{BASE}/places/add", {"county": "A" * 61, "state": "ND", "rank": "1"}),
        (f"{BASE}/places/add", {"county": "Adams", "state": "ND", "rank": "0"}),
        (f"{BASE}/ring", {**RING, "ring": "loud"}),
        (f"{BASE}/ring", {**RING, "after_speciality": "nan"}),
        (f"{BASE}/ring", {**RING, "after_speciality": "-1"}),
        (f"{BASE}/ring", {**RING, "after_age_group": "3601"}),
        (DANA, {**PROFILE, "licence_until": "soon"}),
        (DANA, {**PROFILE, "licence_until": "9999-12-31"}),
        (DANA, {**PROFILE, "licence_state": ""}),
        (DANA, {**PROFILE, "licence_number": "7" * 41}),
        (DANA, {**PROFILE, "language": "xx"}),
        (DANA, {**PROFILE, "speciality": "xx"}),
        (DANA, {**PROFILE, "adult": ""}),
    ):
        answer = await site.post(address, form, ADDRESS)
        assert answer.status == 422, form
        assert 'role="alert"' in await answer.text()
    assert await stored(site) == before


async def test_another_program_s_manager_changes_nothing_of_ours(site: Site) -> None:
    form = {"email": AWAY_MANAGER.email, "password": PASSWORD, "next": ""}
    assert (await site.post("/sign-in", form)).status == 303
    before = await stored(site)
    place = {"county": "Adams", "state": "ND", "rank": "1"}
    agency = f"{BASE}/agencies/{demo.AGENCY_ID}/add"
    for address, typed in (
        (f"{BASE}/places/add", place), (f"{BASE}/ring", RING), (DANA, PROFILE), (agency, place),
    ):  # fmt: skip
        assert (await site.post(address, typed, ADDRESS)).status == 404, address
    assert await stored(site) == before
    assert await audited(site, "matching.set_ring") == ["refused"]
    assert demo.DANA.name not in await (await site.client.get(ADDRESS)).text()


async def test_a_clinician_may_not_open_the_page(site: Site) -> None:
    await site.sign_in(demo.DANA)
    assert (await site.client.get(ADDRESS)).status == 403


async def test_licences_that_ran_out_or_soon_will_are_said_in_words(site: Site) -> None:
    rows = (
        LicenceRow("LPC", "SD", "1", NOW - 86_400),
        LicenceRow("LPC", "ND", "2", NOW + 5 * 86_400),
    )
    await site.services.db.write(
        lambda conn: clinicians.replace(conn, demo.DANA.id, Profile(licences=rows))
    )
    await site.sign_in(demo.LENA)
    text = await (await site.client.get(ADDRESS)).text()
    assert "Expired" in text
    assert "Expires in 5 days" in text


async def test_the_try_out_says_who_would_ring_when_and_why_others_would_not(site: Site) -> None:
    north = Profile(licences=(LicenceRow("LPC", "ND", "2", None),))
    await site.services.db.write(lambda conn: clinicians.replace(conn, demo.DANA.id, north))
    await site.sign_in(demo.LENA)
    asked = f"{ADDRESS}?try={demo.PROVIDER_ID}&state=SD&language=&age=&field="
    text = await (await site.client.get(asked)).text()
    assert "After 0 seconds" in text
    assert "After 45 seconds" in text
    assert f"{demo.DANA.name}: no licence for this state" in text
    assert (await site.client.get(asked.replace("SD", "XX"))).status == 400
