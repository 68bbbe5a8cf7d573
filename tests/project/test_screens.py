"""docs/screens shows every screen, at every size, and nothing that is gone."""

from __future__ import annotations

from pathlib import Path

from scripts import screenshots

FOLDER = Path(__file__).parents[2] / "docs" / "screens"
TEMPLATES = Path(__file__).parents[2] / "web" / "templates" / "pages"
# every page of the product, by the picture that shows it
PICTURES = {
    "account": "account",
    "account_app": "account-app",
    "account_codes": "account-codes",
    "manager_audit": "manager-audit",
    "alert": "alert",
    "alerts": "alerts",
    "console": "console-idle",
    "enrol": "enrol",
    "error": "error",
    "guest": "guest-call",
    "join": "join",
    "landing": "landing",
    "manager_code": "manager-code",
    "manager_invitation": "manager-invitation",
    "manager_grants": "manager-grants",
    "manager_integrations": "manager-integrations",
    "manager_integrations_secret": "manager-integrations-secret",
    "manager_webhook": "manager-webhook",
    "manager_keeping": "manager-keeping",
    "manager_log": "manager-log",
    "manager_matching": "manager-matching",
    "manager_miss": "manager-miss",
    "manager_misses": "manager-misses",
    "manager_odmap": "manager-odmap",
    "manager_planner": "manager-planner",
    "manager_reach": "manager-reach",
    "manager_openings": "manager-openings",
    "manager_people": "manager-people",
    "manager_person": "manager-person",
    "manager_reports": "manager-reports",
    "manager_resource": "manager-resource",
    "manager_resources": "manager-resources",
    "manager_resources_import": "manager-resources-import",
    "manager_roster": "manager-roster",
    "manager_roster_calendar": "manager-roster-calendar",
    "manager_roster_import": "manager-roster-import",
    "manager_roster_shift": "manager-roster-shift",
    "manager_roster_shifts": "manager-roster-shifts",
    "manager_session": "manager-session",
    "manager_tablets": "manager-tablets",
    "manager_views": "manager-views",
    "followup": "followup",
    "followup_gap": "followup-gap",
    "followups": "followups",
    "notes": "notes",
    "open_record": "open-record",
    "patterns": "patterns",
    "plan": "plan",
    "roster_feed": "roster-feed",
    "shifts": "shifts",
    "shifts_offer": "shifts-offer",
    "prove": "prove",
    "same_person": "same-person",
    "sign_in": "sign-in",
    "sign_in_second": "sign-in-second",
    "sign_on_left": "sign-on-left",
    "sign_on_trouble": "sign-on-trouble",
    "tablet": "tablet-ready",
    "tablet_offline": "tablet-offline",
    "welcome": "welcome",
}


def test_the_list_of_screens_is_the_scripts_own() -> None:
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == screenshots.listing()


def test_each_screen_has_its_picture_at_each_size_and_no_other_is_kept() -> None:
    wanted = {
        f"{name}-{width}x{height}.png"
        for name in screenshots.SCREENS
        for width, height in screenshots.SIZES
    }
    assert {file.name for file in FOLDER.glob("*.png")} == wanted


def test_every_page_is_among_the_screens() -> None:
    assert {page.stem for page in TEMPLATES.glob("*.html")} == PICTURES.keys()
    assert set(PICTURES.values()) <= screenshots.SCREENS.keys()
