"""The channels against servers on real sockets."""

import json
import socket
import threading
from collections.abc import Iterator
from email.message import Message as Mail
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MailHandler
from aiosmtpd.smtp import AuthResult, LoginPassword

from entity_pipeline.core.failures import ConfigurationFailure, PipelineFailure
from entity_pipeline.core.notifications import Message, NotSent
from entity_pipeline.resources import notifications
from entity_pipeline.resources.notifications import NotificationResource

# The server of the test has no TLS on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

MESSAGE = Message("entity_pipeline: cap reached", "한글 <b>&\nWhat to do: wait.")
SECRET = "T0/B0/made-up-secret"


class Webhook(ThreadingHTTPServer):
    """Answers with `status`; `got` are the bodies."""

    def __init__(self, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.status = status
        self.got: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/services/{SECRET}"


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        server.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(server.status)
        self.send_header("location", "http://127.0.0.1:9/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Mailbox(MailHandler):
    def __init__(self) -> None:
        super().__init__()
        self.got: list[Mail] = []

    def handle_message(self, message: Mail) -> None:
        self.got.append(message)


def _check(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
    right = LoginPassword(b"bot@example.org", b"p@ss word")
    return AuthResult(success=given == right, handled=False)


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(
        box, hostname="127.0.0.1", port=port, authenticator=_check, auth_require_tls=False, auth_required=True
    )
    server.start()
    yield box, port
    server.stop()


def mailing(
    port: int, user: str = "bot%40example.org:p%40ss%20word@", **changed: Any
) -> NotificationResource:
    values = {
        "smtp_url": f"smtp://{user}127.0.0.1:{port}",
        "email_from": "Pipeline <bot@example.org>",
        "email_to": "a@example.org, b@example.org",
    }
    return NotificationResource(**(values | changed))


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def test_only_channels_with_an_address_are_there() -> None:
    assert NotificationResource().channels() == []
    assert NotificationResource(webhook_url="x", smtp_url="y").channels() == ["webhook", "email"]


def test_a_webhook_gets_the_message_with_nothing_that_slack_would_read_as_markup(webhook: Webhook) -> None:
    NotificationResource(webhook_url=webhook.url).send("webhook", MESSAGE)
    assert webhook.got == [{"text": "*entity_pipeline: cap reached*\n한글 &lt;b&gt;&amp;\nWhat to do: wait."}]


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (404, ConfigurationFailure),
        (403, ConfigurationFailure),
        (302, ConfigurationFailure),
        (429, NotSent),
        (500, NotSent),
    ],
)
def test_a_refusing_webhook_is_reported_without_its_address(
    webhook: Webhook, status: int, failure: type[PipelineFailure]
) -> None:
    webhook.status = status
    with pytest.raises(failure, match=f"HTTP {status}") as raised:
        NotificationResource(webhook_url=webhook.url).send("webhook", MESSAGE)
    assert SECRET not in str(raised.value)
    assert len(webhook.got) == 1, "a redirect is not followed"


def test_an_unreachable_webhook_is_reported_without_its_address() -> None:
    resource = NotificationResource(webhook_url=f"http://127.0.0.1:{closed_port()}/{SECRET}")
    with pytest.raises(NotSent) as raised:
        resource.send("webhook", MESSAGE)
    assert SECRET not in str(raised.value)
    assert raised.value.__suppress_context__


def test_a_webhook_that_never_answers_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifications, "TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/{SECRET}"
        with pytest.raises(NotSent, match="ReadTimeout"):
            NotificationResource(webhook_url=address).send("webhook", MESSAGE)


def test_a_mail_goes_to_all_recipients_with_the_percent_encoded_password(
    mailbox: tuple[Mailbox, int],
) -> None:
    box, port = mailbox
    mailing(port).send("email", MESSAGE)
    (mail,) = box.got
    assert mail["X-RcptTo"] == "a@example.org, b@example.org"
    assert (mail["Subject"], mail["From"]) == (MESSAGE.title, "Pipeline <bot@example.org>")
    assert bytes(mail.get_payload(decode=True)).decode().replace("\r", "").strip() == MESSAGE.text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "failure", "says"),
    [
        ({"user": "bot%40example.org:wrong@"}, ConfigurationFailure, "user or its password"),
        ({"user": ""}, ConfigurationFailure, "sender or every receiver"),
        ({"email_to": None}, ConfigurationFailure, "set all three"),
        ({"email_to": "a@example.org\nBcc: x@example.org"}, ConfigurationFailure, "is in an invalid form"),
        ({"smtp_url": "http://bot:made-up@127.0.0.1"}, ConfigurationFailure, "must begin with smtp://"),
        ({"smtp_url": "smtp://bot:made-up@127.0.0.1:x"}, ConfigurationFailure, "must begin with smtp://"),
    ],
    ids=["password", "no login", "no receiver", "a header in an address", "no mail server", "no port"],
)
def test_a_mail_that_cannot_go_says_which_variable(
    mailbox: tuple[Mailbox, int], changed: dict[str, Any], failure: type[PipelineFailure], says: str
) -> None:
    box, port = mailbox
    with pytest.raises(failure, match=says) as raised:
        mailing(port, **changed).send("email", MESSAGE)
    assert box.got == []
    assert "made-up" not in str(raised.value)


def test_a_mail_server_that_is_away_is_waited_for() -> None:
    with pytest.raises(NotSent, match="ConnectionRefusedError"):
        mailing(closed_port()).send("email", MESSAGE)


def test_a_password_does_not_leave_this_machine_without_tls(
    mailbox: tuple[Mailbox, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    box, port = mailbox
    monkeypatch.setattr(notifications, "_LOOPBACK", frozenset())
    with pytest.raises(ConfigurationFailure, match="no TLS"):
        mailing(port).send("email", MESSAGE)
    assert box.got == []


def test_no_secret_is_in_the_resources_repr() -> None:
    resource = NotificationResource(webhook_url=f"https://x/{SECRET}", smtp_url="smtp://u:made-up@h")
    assert SECRET not in repr(resource)
    assert "made-up" not in repr(resource)


def test_links_lead_to_runs_only() -> None:
    resource = NotificationResource(page_url="https://p.example/", dagster_url="https://d.example/")
    run = "6f1f2a86-7a5c-4c3e-9df3-0f5a4c7f0a11"
    assert resource.page_address() == "https://p.example"
    assert resource.run_address(run) == f"https://d.example/runs/{run}"
    assert resource.run_address("../x") is None
    assert NotificationResource().run_address(run) is None
