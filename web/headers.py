"""The security headers of every answer, whatever made it."""

from __future__ import annotations

from collections.abc import Mapping

from signaling.settings import Settings

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "media-src": "'self' blob:",
    "font-src": "'self'",
    "worker-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
_PERMISSIONS = (
    "camera=(self), microphone=(self), screen-wake-lock=(self), autoplay=(self), "
    "fullscreen=(self), display-capture=(), geolocation=(), payment=(), usb=(), serial=(), "
    "hid=(), midi=()"
)


def of(settings: Settings) -> Mapping[str, str]:
    """The headers for a server with these settings."""
    # 'self' does not cover ws: in every browser that is in use; our own origins are named as well
    sockets = sorted({origin.replace("http", "ws", 1) for origin in settings.origins})
    policy = {**_POLICY, "connect-src": " ".join(("'self'", *sockets))}
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Permissions-Policy": _PERMISSIONS,
        "X-Content-Type-Options": "nosniff",
        # not no-referrer: with that, browsers send "Origin: null" with our own forms (Fetch, 3.2)
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Server": "CrisisBridge",
    }
    if settings.secure_cookies:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    return headers
