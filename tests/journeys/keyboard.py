"""Somebody without a mouse: Tab to a control by the name that a screen reader says, then press.

The names are the browser's own computed ones, so a page's browser needs the flag `NAMES`. Each stop
is looked at: the focus must be seen, and somewhere on the screen.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from playwright.async_api import Page, expect

NAMES = "--enable-blink-features=ComputedAccessibilityInfo"
MOST = 200  # stops; a page that has more needs another way about
WHERE = """() => {
    const el = document.activeElement;
    if (!el || el === document.body || el === document.documentElement) return null;
    const outlined = (one) => {
        const style = one && getComputedStyle(one);
        return style && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
    };
    const box = el.getBoundingClientRect();
    // on the calendar's button in a date field; the browser draws that, and says nothing of it
    const inside = el.matches('input:not(:focus)');
    const around = [el, el.closest('label'), el.nextElementSibling, el.parentElement];
    const seen = (inside || around.some(outlined))
        && box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
    return { name: el.computedName.replace(/\\s+/g, ' ').trim(), role: el.computedRole, seen };
}"""


class Keys:
    """One person's keyboard, on one page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def where(self) -> dict[str, Any] | None:
        """What has the focus: its name and role, and whether that is seen; None for nothing."""
        found: dict[str, Any] | None = await self.page.evaluate(WHERE)
        return found

    async def to(self, name: str, role: str = "", *, key: str = "Tab") -> None:
        """Go on to the next control of this name; "Consent*" is one that begins so.

        What was passed is said when there is none.
        """
        passed: list[str] = []
        for _ in range(MOST):
            await self.page.keyboard.press(key)
            at = await self.where()
            if at is None:
                passed.append("(end of the page)")
                if passed.count("(end of the page)") == 2:
                    break
                continue
            said = f"{at['role']} {at['name']!r}"
            assert at["seen"], f"the focus cannot be seen on {said}"
            if fnmatchcase(at["name"], name) and role in ("", at["role"]):
                return
            passed.append(said)
        raise AssertionError(f"{key} never came to {role} {name!r}; it came to: {passed}")

    async def back_to(self, name: str, role: str = "") -> None:
        """The other way round."""
        await self.to(name, role, key="Shift+Tab")

    async def press(self, name: str, role: str = "", key: str = "Enter") -> None:
        """Go there and press it."""
        await self.to(name, role)
        await self.page.keyboard.press(key)

    async def write(self, name: str, text: str) -> None:
        """Go to a field, and type in place of what stands there."""
        await self.to(name)
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.type(text)

    async def choose(self, name: str, beginning: str) -> None:
        """Go to a list, and type the beginning of what is wanted."""
        await self.to(name, "combobox")
        await self.page.keyboard.type(beginning)

    async def leads(self, name: str, role: str = "", to: str = "") -> None:
        """Press what leads to another page, and wait for its heading."""
        async with self.page.expect_navigation():
            await self.press(name, role)
        if to:
            await expect(self.page.locator("h1")).to_have_text(to)

    async def kept(self) -> dict[str, Any]:
        """After the page changed under it, the focus is still on something, and seen."""
        at = await self.where()
        assert at is not None, "the focus is lost: Tab begins at the top of the page again"
        assert at["seen"], f"the focus cannot be seen on {at['role']} {at['name']!r}"
        return at

    async def sign_in(self, card: dict[str, Any]) -> None:
        """Open the person's page, and sign in there."""
        await self.page.goto(card["url"])
        await self.write("E-mail", card["email"])
        await self.write("Password", card["password"])
        async with self.page.expect_navigation(url=card["url"]):
            await self.page.keyboard.press("Enter")
