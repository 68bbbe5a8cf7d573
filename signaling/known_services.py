"""Services for pages that are allowed unless the settings say otherwise: each is one company's own,
whatever the rest of an address says.
"""

from __future__ import annotations

# of Chromium, Firefox, Safari and Edge
PUSH_SERVICES = (
    "fcm.googleapis.com",
    "push.services.mozilla.com",
    "push.apple.com",
    "notify.windows.com",
)
# Apprise's names
CHAT_SERVICES = (
    "discord",
    "gchat",
    "opsgenie",
    "pagerduty",
    "pover",
    "signl4",
    "slack",
    "tgram",
    "webex",
)
