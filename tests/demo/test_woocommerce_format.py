"""How WooCommerce writes amounts and JSON."""

from demo.woocommerce_format import encode, net


def test_a_body_is_written_as_php_writes_it() -> None:
    assert encode({"url": "http://a/b", "symbol": "£"}) == b'{"url":"http:\\/\\/a\\/b","symbol":"\\u00a3"}'


def test_net_and_tax_make_the_price() -> None:
    assert (net(120), net(1995), net(0)) == (100, 1662, 0)
