"""A Slack webhook and e-mail as channels to people. No part of their addresses is ever in an error or a log.

A password is not sent to a mail server without TLS, unless the server is on this machine.
"""

import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import SplitResult, unquote

import dagster as dg
from pydantic import Field

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.core.notifications import Message, NotSent
from entity_pipeline.core.run_address import run_address
from entity_pipeline.core.text.web_address import address_parts

WEBHOOK = "webhook"
EMAIL = "email"
TIMEOUT_S = 5
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class NotificationResource(dg.ConfigurableResource):
    """Satisfies `core.notifications.Notifications`. A channel is configured when its address is set."""

    webhook_url: str | None = Field(
        default=None, repr=False, description="Secret. A Slack webhook, or one that takes the same JSON."
    )
    smtp_url: str | None = Field(
        default=None,
        repr=False,
        description="Secret. smtp://user:password@host:587, or smtps:// for TLS at once.",
    )
    email_from: str | None = Field(default=None, description="The sender's address.")
    email_to: str | None = Field(default=None, description="Addresses, comma-separated.")
    page_url: str | None = Field(default=None, description="Where people see the administration page.")
    dagster_url: str | None = Field(default=None, description="Where people see the Dagster UI.")

    def channels(self) -> Sequence[str]:
        """See `core.notifications.Notifications.channels`."""
        configured = ((WEBHOOK, self.webhook_url), (EMAIL, self.smtp_url))
        return [name for name, address in configured if address]

    def page_address(self) -> str | None:
        """See `core.notifications.Notifications.page_address`."""
        return self.page_url.rstrip("/") if self.page_url else None

    def run_address(self, run_id: str) -> str | None:
        """See `core.notifications.Notifications.run_address`."""
        return run_address(self.dagster_url, run_id)

    def send(self, channel: str, message: Message) -> None:
        """See `core.notifications.Notifications.send`."""
        if channel == WEBHOOK:
            self._post(message)
        else:
            self._mail(message)

    def _post(self, message: Message) -> None:
        import requests

        address = _parts(self.webhook_url, "ALERT_WEBHOOK_URL", ("https", "http"))
        text = f"*{_slack(message.title)}*\n{_slack(message.text)}"
        try:
            with requests.post(
                address.geturl(), json={"text": text}, timeout=TIMEOUT_S, allow_redirects=False, stream=True
            ) as answer:
                status = answer.status_code
        except requests.RequestException as error:
            # Its text has the address, which is the secret.
            raise NotSent(f"The alert webhook can't be reached ({type(error).__name__}).") from None
        if status in (400, 401, 403, 404, 410) or 300 <= status < 400:
            raise ConfigurationFailure(
                f"The alert webhook refuses messages (HTTP {status}): check ALERT_WEBHOOK_URL."
            )
        if not 200 <= status < 300:
            raise NotSent(f"The alert webhook did not take the message (HTTP {status}).")

    def _mail(self, message: Message) -> None:
        if not self.email_from or not self.email_to:
            raise ConfigurationFailure(
                "ALERT_SMTP_URL is set without ALERT_EMAIL_FROM and ALERT_EMAIL_TO: set all three."
            )
        address = _parts(self.smtp_url, "ALERT_SMTP_URL", ("smtp", "smtps"))
        try:
            mail = self._composed(message, self.email_from, self.email_to)
            with _connected(address) as server:
                if server.send_message(mail):
                    raise NotSent("The mail server refused some of ALERT_EMAIL_TO.")
        except ValueError:
            raise ConfigurationFailure(
                "ALERT_EMAIL_FROM, ALERT_EMAIL_TO or the password in ALERT_SMTP_URL is in an invalid form: correct it."
            ) from None
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError):
            raise ConfigurationFailure(
                "The mail server refuses the user or its password: check ALERT_SMTP_URL."
            ) from None
        except (smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused):
            raise ConfigurationFailure(
                "The mail server refuses the sender or every receiver: check ALERT_EMAIL_FROM and ALERT_EMAIL_TO."
            ) from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(f"The mail server did not take the message ({type(error).__name__}).") from None

    @staticmethod
    def _composed(message: Message, sender: str, receivers: str) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = message.title
        mail["From"] = sender
        mail["To"] = receivers
        mail["Date"] = formatdate()
        mail["Message-ID"] = make_msgid(domain="entity-pipeline.invalid")
        mail.set_content(message.text)
        return mail


@contextmanager
def _connected(address: SplitResult) -> Iterator[smtplib.SMTP]:
    host = address.hostname or ""
    if address.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            host, address.port or 465, timeout=TIMEOUT_S, context=ssl.create_default_context()
        )
    else:
        server = smtplib.SMTP(host, address.port or 587, timeout=TIMEOUT_S)
    with server:
        server.ehlo()
        if address.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        elif address.scheme == "smtp" and address.username and host not in _LOOPBACK:
            raise ConfigurationFailure(
                "The mail server offers no TLS, so the password was not sent: use smtps:// in ALERT_SMTP_URL."
            )
        if address.username:
            server.login(unquote(address.username), unquote(address.password or ""))
        yield server


def _parts(address: str | None, variable: str, schemes: Sequence[str]) -> SplitResult:
    parts = address_parts((address or "").strip(), schemes)
    if parts is None:
        raise ConfigurationFailure(f"{variable} is not an address: it must begin with {schemes[0]}://.")
    return parts


def _slack(text: str) -> str:
    """Escape Slack's three control characters, so that a model's name can't become a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
