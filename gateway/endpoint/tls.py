"""The certificate of the SMTP door. STARTTLS is opportunistic: a certificate gone wrong must not close the door (F-36)."""

from __future__ import annotations

import contextlib
import ssl
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from gateway import maillog, metrics
from gateway.settings import SmtpSettings

HANDSHAKE_SECONDS = 30.0
RENEW = timedelta(days=14)  # before its end a certificate should be renewed


def load_certificate(settings: SmtpSettings) -> ssl.SSLContext | None:
    """A context for STARTTLS; None when no certificate is set. Raises OSError or ssl.SSLError (an OSError too)."""
    if settings.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(settings.certificate, settings.key)
    _show_end(settings.certificate)
    return context


def _show_end(certificate: Path) -> None:
    """Watched is what is in use: a certificate that was renewed, but not loaded, ends just the same (O-6)."""
    with contextlib.suppress(ValueError, OSError):  # OpenSSL forgives what the parser does not
        chain = x509.load_pem_x509_certificates(certificate.read_bytes())
        ends = min(each.not_valid_after_utc.timestamp() for each in chain)
        metrics.certificate_expiry.labels("smtp").set(ends)


def certificate_advice(settings: SmtpSettings, now: datetime) -> list[str]:
    """What is wrong with a certificate that works all the same: sentences that begin with the setting's name.

    Mail servers take an expired certificate as a rule, since STARTTLS is opportunistic; MTA-STS and DANE do not.
    """
    if settings.certificate is None:
        return []
    try:
        chain = x509.load_pem_x509_certificates(settings.certificate.read_bytes())
    except (ValueError, OSError):  # told by those who load it
        return []
    begins, ends = max(each.not_valid_before_utc for each in chain), min(each.not_valid_after_utc for each in chain)
    place = f"smtp.certificate: {settings.certificate}"
    if ends <= now:
        return [f"{place} expired on {ends:%Y-%m-%d}; renew it, then reload the gateway (SIGHUP)"]
    if begins > now:
        return [f"{place} is not valid before {begins:%Y-%m-%d}; look at this host's clock, or at the certificate"]
    if ends - now < RENEW:
        return [f"{place} expires on {ends:%Y-%m-%d}; renew it, then reload the gateway (SIGHUP)"]
    return []


def certificate_or(previous: ssl.SSLContext | None, settings: SmtpSettings) -> tuple[ssl.SSLContext | None, bool]:
    """The certificate on disk, or else the previous one; and whether it could be read."""
    try:
        return load_certificate(settings), True
    except OSError as error:
        metrics.faults.labels("certificate").inc()
        maillog.event("certificate-unusable", certificate=str(settings.certificate), error=str(error))
        return previous, False
