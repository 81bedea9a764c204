"""Coupons of the stand-in over REST."""

from woocommerce import API

from demo.peers.woocommerce import WooState
from tests.demo.peers.woocommerce.store import ids, problem, recorded


def test_coupon_is_made_changed_trashed_and_deleted(api: API, state: WooState) -> None:
    made = api.post("coupons", {"code": "FBT-Pair", "discount_type": "percent", "amount": "10.00"})
    assert made.status_code == 201
    assert set(made.json()) == set(recorded("0029"))
    number = made.json()["id"]
    assert made.json()["code"] == "fbt-pair"
    assert (
        problem(api.post("coupons", {"code": "fbt-pair"}))[1] == "woocommerce_rest_coupon_code_already_exists"
    )
    assert api.put(f"coupons/{number}", {"amount": "5.00"}).json()["amount"] == "5.00"
    assert ids(api.get("coupons", params={"code": "fbt-pair"})) == [number]
    assert api.delete(f"coupons/{number}").json()["status"] == "trash"
    assert problem(api.delete(f"coupons/{number}"))[:2] == (410, "woocommerce_rest_already_trashed")
    assert api.delete(f"coupons/{number}", params={"force": True}).status_code == 200
    assert api.get(f"coupons/{number}").status_code == 404
