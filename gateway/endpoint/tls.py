"""The certificate of the SMTP door. STARTTLS is opportunistic: a certificate gone wrong must not close the door (F-36)."""

from __future__ import annotations

import ssl

from gateway import maillog, metrics
from gateway.settings import SmtpSettings

HANDSHAKE_SECONDS = 30.0


def load_certificate(settings: SmtpSettings) -> ssl.SSLContext | None:
    """A context for STARTTLS; None when no certificate is set. Raises OSError or ssl.SSLError (an OSError too)."""
    if settings.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(settings.certificate, settings.key)
    return context


def certificate_or(previous: ssl.SSLContext | None, settings: SmtpSettings) -> tuple[ssl.SSLContext | None, bool]:
    """The certificate on disk, or else the previous one; and whether it could be read."""
    try:
        return load_certificate(settings), True
    except OSError as error:
        metrics.faults.labels("certificate").inc()
        maillog.event("certificate-unusable", certificate=str(settings.certificate), error=str(error))
        return previous, False
