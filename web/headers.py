"""The security headers of every answer, whatever made it."""

from __future__ import annotations

from collections.abc import Mapping

from signaling.settings import Settings

TRUSTED = "crisisbridge"  # the one policy that web/static/js/lib/trusted.js makes
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "media-src": "'self' blob:",
    "font-src": "'self'",
    "worker-src": "'self'",
    "manifest-src": "'self'",
    "object-src": "'none'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    # nothing writes markup or scripts; workers have an address of ours or none
    "require-trusted-types-for": "'script'",
    "trusted-types": TRUSTED,
}
_PERMISSIONS = (
    "camera=(self), microphone=(self), screen-wake-lock=(self), autoplay=(self), "
    "fullscreen=(self), publickey-credentials-get=(self), publickey-credentials-create=(self), "
    "display-capture=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), midi=(), "
    "bluetooth=(), accelerometer=(), gyroscope=(), magnetometer=(), browsing-topics=(), "
    "idle-detection=(), local-fonts=(), xr-spatial-tracking=()"
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
        # a page holds nothing of anybody else's; WebRTC is no subresource, so calls do not mind
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Origin-Agent-Cluster": "?1",
        "Server": "CrisisBridge",
    }
    if settings.secure_cookies:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    return headers
