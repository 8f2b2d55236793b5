"""Which addresses a webhook may go to."""

from ipaddress import ip_network

import pytest

from server.application.shapes import WebhooksConfig, WebhookUrlPolicy
from server.run_queue.webhook_policy import WebhookPolicy, headers_of, policy_of, refusal, target_of
from server.run_queue.webhooks import check_webhook, resolve
from state.errors import BadRequest, Malformed

OPEN = WebhookPolicy()
LOOPBACK = WebhookPolicy(allow_loopback=True)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "loopback IP range"),
        ("127.8.9.10", "loopback IP range"),
        ("10.0.0.1", "private IP range"),
        ("172.16.0.1", "private IP range"),
        ("192.168.1.1", "private IP range"),
        ("169.254.169.254", "blocked IP range"),
        ("0.0.0.0", "blocked IP range"),
        ("0.1.2.3", "blocked IP range"),
        ("100.64.0.1", "blocked IP range"),
        ("100.100.100.200", "blocked IP range"),
        ("168.63.129.16", "blocked IP range"),
        ("192.0.0.192", "blocked IP range"),
        ("192.0.2.1", "blocked IP range"),
        ("198.18.0.1", "blocked IP range"),
        ("224.0.0.1", "blocked IP range"),
        ("255.255.255.255", "blocked IP range"),
        ("::", "blocked IP range"),
        ("::1", "blocked IP range"),
        ("fe80::1", "blocked IP range"),
        ("fe80::1%2", "blocked IP range"),
        ("fd00::1", "blocked IP range"),
        ("fd00:ec2::254", "blocked IP range"),
        ("ff02::1", "blocked IP range"),
        ("2001:db8::1", "blocked IP range"),
        ("::ffff:127.0.0.1", "blocked IP range"),
        ("::ffff:10.0.0.1", "blocked IP range"),
        ("::ffff:169.254.169.254", "blocked IP range"),
        ("::127.0.0.1", "blocked IP range"),
        ("::10.0.0.1", "blocked IP range"),
        ("64:ff9b::7f00:1", "blocked IP range"),
        ("64:ff9b::a9fe:a9fe", "blocked IP range"),
        ("64:ff9b:1::a00:1", "blocked IP range"),
        ("2002:7f00:1::", "blocked IP range"),
        ("2002:a00:1::", "blocked IP range"),
        ("2001:0:0:0:0:0:f5ff:fffe", "blocked IP range"),
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str, reason: str) -> None:
    assert refusal([address], OPEN) == f"Webhook host blocked: {reason}"
    assert refusal(["8.8.8.8", address], OPEN) == f"Webhook host blocked: {reason}"


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_called(address: str) -> None:
    assert refusal([address], OPEN) is None


@pytest.mark.parametrize(
    ("address", "policy", "called"),
    [
        ("127.0.0.1", LOOPBACK, True),
        ("::1", LOOPBACK, True),
        ("::ffff:127.0.0.1", LOOPBACK, True),
        ("10.0.0.1", LOOPBACK, False),
        ("169.254.169.254", LOOPBACK, False),
        ("0.0.0.0", LOOPBACK, False),
        ("10.0.0.1", WebhookPolicy(allowed_networks=(ip_network("10.0.0.0/8"),)), True),
        ("::ffff:10.0.0.1", WebhookPolicy(allowed_networks=(ip_network("10.0.0.0/8"),)), True),
        ("10.0.0.1", WebhookPolicy(allowed_networks=(ip_network("10.1.0.0/16"),)), False),
        ("fd00::1", WebhookPolicy(allowed_networks=(ip_network("fd00::/8"),)), True),
        ("127.0.0.1", WebhookPolicy(allowed_networks=(ip_network("127.0.0.0/8"),)), True),
    ],
)
def test_what_the_operator_allows_is_called(address: str, policy: WebhookPolicy, called: bool) -> None:
    assert (refusal([address], policy) is None) is called


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.1/",
        "http://127.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://user:password@127.0.0.1/",
        "http://8.8.8.8@127.0.0.1/",
        "http://localhost/",
        "http://LOCALHOST:80/",
        "http://localhost./",
        "http://a.localhost/",
        "http://0/",
        "http://0.0.0.0/",
        "http://10.1/",
        "http://2852039166/latest/meta-data",
        "http://169.254.169.254/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[fd00:ec2::254]/",
        "http://metadata.google.internal/",
        "http://METADATA.google.internal./",
        "http://①②⑦.⓪.⓪.①/",
        "/threads",
        "//127.0.0.1/x",
        "/\\127.0.0.1/x",
        "http:///x",
        "http:127.0.0.1/x",
        "http:\\\\127.0.0.1\\x",
        "ftp://8.8.8.8/",
        "file:///etc/passwd",
        "gopher://8.8.8.8/",
        "javascript:alert(1)",
        "example.com",
        "",
        "http://",
        "http://a b/",
        "http://127.0.0.1\\@8.8.8.8/",
        "http://8.8.8.8\\@127.0.0.1/",
        "http://8.8.8.8/\n",
        "http://8.8.8.8:99999/",
        "http://[bad/",
        "http://8.8.8.8/" + "a" * 5_000,
    ],
)
async def test_no_spelling_of_a_refused_address_is_accepted(url: str) -> None:
    with pytest.raises(BadRequest):
        await check_webhook(url, OPEN, resolve)


@pytest.mark.parametrize("url", ["http://8.8.8.8/", "https://8.8.8.8:8443/a?b=c#d", "http://[2606:4700::1111]:80/"])
async def test_public_targets_are_accepted(url: str) -> None:
    await check_webhook(url, OPEN, resolve)


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("http://127.0.0.1:1/a", 422, "Webhook host blocked: loopback IP range"),
        ("http://0177.0.0.1/", 422, "Webhook host blocked: loopback IP range"),
        ("http://2130706433/", 422, "Webhook host blocked: loopback IP range"),
        ("http://localhost/", 422, "Webhook host blocked: localhost address"),
        ("http://169.254.169.254/latest", 422, "Webhook host blocked: blocked IP range"),
        ("http://[::1]/", 422, "Webhook host blocked: blocked IP range"),
        ("http://metadata.google.internal/", 422, "Webhook host blocked: cloud metadata endpoint"),
        ("http://nowhere.invalid/", 422, "Webhook host blocked: DNS resolution failed"),
        ("ftp://example.com/", 422, "Webhook host blocked: scheme 'ftp' not allowed"),
        ("example.com", 422, "Invalid webhook hostname ''"),
        ("http://xn--a.example/", 422, "Invalid webhook hostname 'xn--a.example'"),
        ("http://", 422, "Invalid webhook hostname ''"),
        ("http://[bad", 400, "Invalid IPv6 URL"),
        ("https://example.com:99999/", 400, "Port out of range 0-65535"),
    ],
)
async def test_the_words_are_the_references(url: str, status: int, said: str) -> None:
    async def resolver(host: str, port: int) -> list[str]:
        if host == "nowhere.invalid":
            raise OSError
        if host.startswith("xn--"):
            return ["8.8.8.8"]
        return ["127.0.0.1"] if host in ("0177.0.0.1", "2130706433") else [host]

    with pytest.raises(BadRequest) as refused:
        await check_webhook(url, OPEN, resolver)
    assert (refused.value.status, str(refused.value)) == (status, said)
    assert isinstance(refused.value, Malformed) is (status == 400)


STRICT = policy_of(
    WebhooksConfig(
        url=WebhookUrlPolicy(
            require_https=True,
            allowed_domains=("example.com", "*.mycorp.com"),
            allowed_ports=(443, 8443),
            max_url_length=60,
            disable_loopback=False,
        )
    ),
    (),
)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://example.com/x", None),
        ("https://EXAMPLE.com:8443/x", None),
        ("https://a.mycorp.com/", None),
        ("/own/path", None),
        ("http://example.com/x", "Webhook must use https"),
        ("https://mycorp.com/", "Webhook domain not allowed"),
        ("https://notmycorp.com/", "Webhook domain not allowed"),
        ("https://example.com.evil.example/", "Webhook domain not allowed"),
        ("https://8.8.8.8/", "Webhook domain not allowed"),
        ("https://a.mycorp.com:444/", "Webhook port 444 not allowed"),
        ("https://example.com/" + "a" * 80, "Webhook URL too long"),
    ],
)
def test_the_applications_own_policy_is_kept(url: str, said: str | None) -> None:
    if said is None:
        target_of(url, STRICT)
        return
    with pytest.raises(BadRequest, match=f"^{said}$"):
        target_of(url, STRICT)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        (WebhookUrlPolicy(), False),
        (WebhookUrlPolicy(disable_loopback=True), False),
        (WebhookUrlPolicy(disable_loopback=False), True),
    ],
)
def test_loopback_is_allowed_in_so_many_words_only(url: WebhookUrlPolicy, allowed: bool) -> None:
    assert policy_of(WebhooksConfig(url=url), ()).allow_loopback is allowed


@pytest.mark.parametrize(
    ("url", "required"),
    [
        (WebhookUrlPolicy(), False),
        (WebhookUrlPolicy(disable_loopback=False), True),
        (WebhookUrlPolicy(allowed_ports=(80,)), True),
        (WebhookUrlPolicy(disable_loopback=False, require_https=False), False),
    ],
)
def test_whoever_writes_a_policy_has_to_say_that_http_is_enough(url: WebhookUrlPolicy, required: bool) -> None:
    assert policy_of(WebhooksConfig(url=url), ()).require_https is required


def test_header_templates_are_filled_from_variables_with_the_prefix() -> None:
    config = WebhooksConfig(
        headers={"x-static": "v", "authorization": "Bearer ${{ env.LG_WEBHOOK_A }}-${{env.LG_WEBHOOK_B}}"}
    )
    assert headers_of(config, {"LG_WEBHOOK_A": "a", "LG_WEBHOOK_B": "b"}) == {
        "x-static": "v",
        "authorization": "Bearer a-b",
    }


@pytest.mark.parametrize(
    ("headers", "names"),
    [
        ({"a": "${{ env.HOME }}"}, "LG_WEBHOOK_"),
        ({"a": "${{ env.LG_WEBHOOK_MISSING }}"}, "LG_WEBHOOK_MISSING"),
        ({"a": "${{ env.LG_WEBHOOK_BROKEN }}"}, "HTTP"),
        ({"a b": "x"}, "a b"),
        ({"a": "x\r\nb: y"}, "HTTP"),
        ({"a": "€"}, "HTTP"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused_at_start(headers: dict[str, str], names: str) -> None:
    with pytest.raises(BadRequest, match=names):
        headers_of(WebhooksConfig(headers=headers), {"HOME": "/root", "LG_WEBHOOK_BROKEN": "a\nb"})
