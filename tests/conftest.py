"""What all tests share: no example of a property is held against the clock of a shared machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")
