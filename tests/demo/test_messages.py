"""Bags of deliveries that are built when they are looked at."""

from collections import Counter
from datetime import UTC, datetime

from demo.messages import Delivery, Mailbag, Message

AT = datetime(2026, 11, 22, tzinfo=UTC)


def sign(message: Message) -> Delivery:
    return Delivery({}, message.resource.encode(), message.topic)


def bag(count: int = 20) -> Mailbag:
    return Mailbag([Message("even" if n % 2 == 0 else "odd", AT, str(n), dict) for n in range(count)], sign)


def test_nothing_is_built_before_it_is_looked_at() -> None:
    built = []

    def build() -> dict[str, object]:
        built.append(1)
        return {}

    mailbag = Mailbag([Message("t", AT, "r", build)] * 3, lambda m: Delivery({}, str(m.build()).encode()))

    assert (len(mailbag), built) == (3, [])
    assert mailbag[-1].body == b"{}"
    assert built == [1]


def test_a_bag_is_a_sequence() -> None:
    assert [delivery.body for delivery in bag()[3:5]] == [b"3", b"4"]
    assert len(list(bag())) == 20


def test_only_keeps_the_order() -> None:
    assert [delivery.body for delivery in bag(5).only(["even"])] == [b"0", b"2", b"4"]


def test_shuffled_holds_everything_so_many_times_in_an_order_that_the_seed_decides() -> None:
    def bodies(mailbag: Mailbag) -> list[bytes]:
        return [delivery.body for delivery in mailbag]

    one = bag().shuffled(seed=4, repeat=3)

    assert Counter(bodies(one)) == {str(n).encode(): 3 for n in range(20)}
    assert bodies(one) == bodies(bag().shuffled(seed=4, repeat=3))
    assert bodies(one) != bodies(bag().shuffled(seed=5, repeat=3))
    assert bodies(one)[:20] != bodies(bag())
