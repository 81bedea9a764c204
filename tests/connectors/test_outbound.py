"""Requests to addresses of merchants: what is reached, what never is, and how long it may take."""

import gzip
import ipaddress
import logging
import socket
import traceback

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import Rejected, Unreachable
from connectors.outbound import BadCertificate, Outbound, TooLarge, TooSlow, is_public, system_resolver
from tests.connectors.scripted_server import Says, scripted_server, shop_certificate

PUBLIC = "93.184.215.14"
HUSH = "cs_" + "hush"


@pytest.fixture
def server():
    with scripted_server() as running:
        yield running


@pytest.fixture
def shop_tls(tmp_path):
    """Return a server's TLS context for shop.example and the file of the certificate to trust."""
    return shop_certificate(tmp_path)


@pytest.fixture
def connected(monkeypatch):
    """Return the addresses that sockets were opened to; each leads to the port set in ``leads_to``."""

    class Connected(list):
        leads_to: int | None = None

    opened = Connected()
    connect = socket.create_connection

    def record(address, timeout):
        opened.append(address)
        if opened.leads_to is None:
            raise ConnectionRefusedError
        return connect(("127.0.0.1", opened.leads_to), timeout)

    monkeypatch.setattr("connectors.outbound.socket.create_connection", record)
    return opened


def answers(*turns):
    """Return a resolver that answers differently each time, and the list of what it was asked."""
    asked = []

    def resolve(host, port):
        asked.append((host, port))
        return turns[min(len(asked), len(turns)) - 1]

    return resolve, asked


REFUSED = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:93.184.215.14",
    "::7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::5db8:d70e",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:5db8:d70e::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("address", REFUSED)
def test_address_off_the_public_internet_is_refused_before_a_socket_opens(connected, address):
    resolver, asked = answers([address])

    with pytest.raises(Rejected, match=r"^The host shop\.example leads to an address that is not on"):
        Outbound(resolver=resolver).get("https://shop.example/")

    assert asked == [("shop.example", 443)]
    assert connected == []


@pytest.mark.parametrize("address", [address for address in REFUSED if address != "::1"])
def test_loopback_setting_opens_loopback_and_nothing_else(connected, address):
    resolver, _ = answers([address])
    outbound = Outbound(allow_loopback=True, resolver=resolver)

    if address.startswith("127."):
        outbound.check("http://shop.example:8081/")
        return
    with pytest.raises(Rejected):
        outbound.get("https://shop.example/")
    assert connected == []


@pytest.mark.parametrize(
    "address", [PUBLIC, "2606:4700::1", "64:ff9b::5db8:d70e", "1.1.1.1", "223.255.255.1"]
)
def test_public_address_is_allowed(address):
    resolver, asked = answers([address])

    Outbound(resolver=resolver).check("https://shop.example/")

    assert asked == [("shop.example", 443)]


@given(st.ip_addresses())
def test_what_is_public_is_global_unicast(address):
    assert not is_public(address) or (address.is_global and not address.is_multicast)


@given(st.ip_addresses(v=4))
def test_hidden_address_is_judged_by_itself(address):
    nat64 = ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(address))
    six_to_four = ipaddress.IPv6Address((0x2002 << 112) + (int(address) << 80))
    mapped = ipaddress.IPv6Address((0xFFFF << 32) + int(address))

    assert is_public(nat64) is is_public(address)
    assert not is_public(six_to_four)
    assert not is_public(mapped)


def test_one_private_address_among_public_ones_refuses_the_host(connected):
    resolver, _ = answers([PUBLIC, "2606:4700::1", "10.0.0.1"])

    with pytest.raises(Rejected):
        Outbound(resolver=resolver).get("https://shop.example/")

    assert connected == []


def test_connection_goes_to_the_checked_address_though_the_names_change(connected, shop_tls):
    context, pem = shop_tls
    resolver, asked = answers([PUBLIC], ["169.254.169.254"])
    outbound = Outbound(resolver=resolver, ca_file=pem)

    with scripted_server(context) as server:
        connected.leads_to = server.port
        reply = outbound.get("https://shop.example/wp-json/?a=b")
        with pytest.raises(Rejected):
            outbound.get("https://shop.example/wp-json/")

    assert connected == [(PUBLIC, 443)]
    assert asked == [("shop.example", 443), ("shop.example", 443)]
    assert (reply.status, reply.body, reply.address) == (200, b"{}", PUBLIC)
    assert server.names == ["shop.example"]
    assert [(seen.headers["Host"], seen.target) for seen in server.seen] == [
        ("shop.example", "/wp-json/?a=b")
    ]


def test_port_8443_stands_in_the_host_header(connected, shop_tls):
    context, pem = shop_tls
    resolver, _ = answers([PUBLIC])

    with scripted_server(context) as server:
        connected.leads_to = server.port
        Outbound(resolver=resolver, ca_file=pem).get("https://shop.example:8443/")

    assert connected == [(PUBLIC, 8443)]
    assert server.seen[0].headers["Host"] == "shop.example:8443"


def test_certificate_of_another_name_is_refused(connected, shop_tls):
    context, pem = shop_tls
    resolver, _ = answers([PUBLIC])

    with scripted_server(context) as server:
        connected.leads_to = server.port
        with pytest.raises(BadCertificate, match=r"^The certificate of other\.example is not valid"):
            Outbound(resolver=resolver, ca_file=pem).get("https://other.example/")

    assert server.seen == []


def test_certificate_that_nobody_vouches_for_is_refused(connected, shop_tls, monkeypatch):
    context, pem = shop_tls
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, pem)
    resolver, _ = answers([PUBLIC])

    with scripted_server(context) as server:
        connected.leads_to = server.port
        with pytest.raises(BadCertificate):
            Outbound(resolver=resolver).get("https://shop.example/")

    assert server.seen == []


def test_next_address_is_tried_when_one_is_dead(server, monkeypatch):
    resolver, _ = answers(["127.0.0.9", "127.0.0.1"])
    connect = socket.create_connection

    def refuse_first(address, timeout):
        if address[0] == "127.0.0.9":
            raise ConnectionRefusedError
        return connect(address, timeout)

    monkeypatch.setattr("connectors.outbound.socket.create_connection", refuse_first)

    reply = Outbound(allow_loopback=True, resolver=resolver).get(f"http://shop.test:{server.port}/")

    assert reply.address == "127.0.0.1"


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "gopher://shop.example/",
        "//shop.example/",
        "shop.example",
        "https://",
        "https:///path",
        "",
        "https://user:secret@shop.example/",
        "https://user@shop.example/",
        "https://shop.example:80/",
        "https://shop.example:22/",
        "https://shop.example:99999/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://1.2.3.4.5/",
        "https://shop.0x/",
        "https://①②⑦.0.0.1/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://shop.example./",
        "https://.shop.example/",
        "https://shop..example/",
        "https://sh op.example/",
        "https://" + "a" * 64 + ".example/",
        "https://" + "a." * 130 + "example/",
    ],
)
def test_address_of_another_shape_is_refused_without_connecting(connected, url):
    def resolver(host, port):
        return system_resolver(host, port) if host[0] in "1①" else [PUBLIC]

    outbound = Outbound(resolver=resolver)

    with pytest.raises(Rejected) as refusal:
        outbound.get(url)
    with pytest.raises(Rejected):
        outbound.check(url)

    assert connected == []
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "url", ["http://127.1/", "http://2130706433/", "http://localhost./", "http://user@127.0.0.1/"]
)
def test_odd_address_is_refused_on_loopback_too(connected, url):
    with pytest.raises(Rejected):
        Outbound(allow_loopback=True).get(url)

    assert connected == []


@pytest.mark.parametrize("url", ["http://shop.example/", "https://shop.example:8081/"])
def test_loopback_setting_does_not_loosen_the_rules_for_public_hosts(connected, url):
    resolver, _ = answers(["127.0.0.1", PUBLIC])

    with pytest.raises(Rejected):
        Outbound(allow_loopback=True, resolver=resolver).get(url)

    assert connected == []


def test_unknown_host_is_unreachable():
    def resolver(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.raises(Unreachable, match=r"^The host name shop\.example is not known"):
        Outbound(resolver=resolver).check("https://shop.example/")


def test_closed_port_is_unreachable(connected):
    resolver, _ = answers([PUBLIC])

    with pytest.raises(Unreachable, match=r"^Nothing answers at shop\.example, port 443\.$"):
        Outbound(resolver=resolver).get("https://shop.example/")

    assert connected == [(PUBLIC, 443)]


def test_redirect_is_returned_and_not_followed(server):
    server.says(Says(b"", 301, {"Location": "http://169.254.169.254/latest/meta-data/"}))

    reply = Outbound(allow_loopback=True).get(f"{server.url}/")

    assert (reply.status, reply.headers["location"]) == (301, "http://169.254.169.254/latest/meta-data/")
    assert len(server.seen) == 1


def test_environment_and_cookies_are_ignored(server, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.says(Says({}, headers={"Set-Cookie": "session=1; Path=/"}))
    outbound = Outbound(allow_loopback=True)

    outbound.get(f"{server.url}/")
    outbound.get(f"{server.url}/")

    assert [{"Cookie", "Authorization"} & set(seen.headers) for seen in server.seen] == [set(), set()]


def test_body_and_headers_are_sent(server):
    prepared = requests.Request(
        "POST", f"{server.url}/a%20b?c=d", headers={"X-A": "1", "Host": "other.example"}, json={"é": 1}
    ).prepare()

    Outbound(allow_loopback=True).send(prepared)

    seen = server.seen[0]
    assert (seen.method, seen.target, seen.headers["X-A"]) == ("POST", "/a%20b?c=d", "1")
    assert seen.body == prepared.body
    assert seen.headers["Host"] == f"127.0.0.1:{server.port}"


def test_packed_body_is_unpacked(server):
    server.says(Says(gzip.compress(b"x" * 200_000), headers={"Content-Encoding": "gzip"}))

    assert Outbound(allow_loopback=True).get(server.url).body == b"x" * 200_000


def test_empty_body_that_claims_to_be_packed_is_empty(server):
    server.says(Says(b"", 301, {"Content-Encoding": "gzip"}))

    assert Outbound(allow_loopback=True).get(server.url).body == b""


@pytest.mark.parametrize("size", [999, 1_000])
def test_body_up_to_the_largest_size_is_taken(server, size):
    server.says(Says(b"x" * size))

    assert Outbound(allow_loopback=True, max_bytes=1_000).get(server.url).body == b"x" * size


@pytest.mark.parametrize(
    "says",
    [
        pytest.param(Says(b"x" * 1_001), id="plain"),
        pytest.param(Says(gzip.compress(b"x" * 1_001), headers={"Content-Encoding": "gzip"}), id="packed"),
        pytest.param(Says(gzip.compress(bytes(20_000_000)), headers={"Content-Encoding": "gzip"}), id="bomb"),
    ],
)
def test_larger_body_is_refused(server, says):
    server.says(says)

    with pytest.raises(TooLarge, match=r"larger than 1,000 bytes\.$"):
        Outbound(allow_loopback=True, max_bytes=1_000).get(server.url)


@pytest.mark.parametrize(
    "says",
    [
        pytest.param(Says(b"x" * 10, length=20), id="shorter than announced"),
        pytest.param(
            Says(gzip.compress(b"x" * 99)[:-9], headers={"Content-Encoding": "gzip"}), id="cut archive"
        ),
        pytest.param(Says(b"no archive", headers={"Content-Encoding": "gzip"}), id="no archive"),
        pytest.param(Says(b"x", headers={"Content-Encoding": "br"}), id="unknown packing"),
        pytest.param(Says(hang_up=True), id="no answer"),
        pytest.param(Says(headers={f"X-{n}": "x" for n in range(200)}), id="too many headers"),
    ],
)
def test_broken_answer_is_unreachable(server, says):
    server.says(says)

    with pytest.raises(Unreachable) as failure:
        Outbound(allow_loopback=True).get(server.url)

    assert type(failure.value) is Unreachable


def test_headers_in_drops_end_at_the_deadline(server):
    server.says(Says(drip=True))

    with pytest.raises(TooSlow, match=r"^The host 127\.0\.0\.1 did not answer in time\.$"):
        Outbound(allow_loopback=True, deadline_s=0.3).get(server.url)


def test_body_in_drops_ends_at_the_deadline(server):
    server.says(Says(b"x" * 10, length=10_000, trickle=True))

    with pytest.raises(TooSlow):
        Outbound(allow_loopback=True, deadline_s=0.2).get(server.url)


def test_greeting_that_never_comes_ends_at_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(TooSlow):
            Outbound(allow_loopback=True, deadline_s=0.2).get(f"https://127.0.0.1:{port}/")


def test_no_time_is_too_slow_before_anything_is_sent(server):
    request = requests.Request("GET", server.url).prepare()

    with pytest.raises(TooSlow):
        Outbound(allow_loopback=True).send(request, deadline_s=0)

    assert server.seen == []


@pytest.mark.parametrize(
    "says", [Says(hang_up=True), Says(drip=True), Says(b"x" * 10, length=20)], ids=["reset", "slow", "short"]
)
def test_neither_error_nor_log_tells_the_query(server, caplog, says):
    server.says(says)
    outbound = Outbound(allow_loopback=True, deadline_s=0.3)

    with caplog.at_level(logging.DEBUG), pytest.raises(Unreachable) as failure:
        outbound.get(f"{server.url}/?consumer_secret={HUSH}")

    assert server.seen[0].query == {"consumer_secret": HUSH}
    assert HUSH not in "".join(traceback.format_exception(failure.value, chain=True))
    assert failure.value.__context__ is None
    assert HUSH not in caplog.text
