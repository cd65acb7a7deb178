import random

import pytest

from ursa.serve.http.clients import REMEMBERED, Offenders, Shares, client_of


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_client_is_an_address_or_what_one_customer_has(address, client):
    assert client_of(address) == client


def test_shares_add_up_whatever_is_added_and_dropped():
    draw, shares, model = random.Random(0), Shares[int](100), {}
    for _ in range(2000):
        client, holder = str(draw.randrange(4)), draw.randrange(6)
        if draw.random() < 0.6:
            shares.add(client, holder, 1 + holder)
            model[client, holder] = model.get((client, holder), 0) + 1 + holder
        else:
            shares.drop(client, holder)
            model.pop((client, holder), None)
        sums = {c: sum(n for (each, _), n in model.items() if each == c) for c in "0123"}
        assert shares.taken == sum(sums.values())
        assert {c: shares.of(c) for c in "0123"} == sums
        assert [sums[c] for c in shares.clients()] == sorted((n for n in sums.values() if n), reverse=True)
        assert all(sorted(shares.holders(c)) == sorted(h for each, h in model if each == c) for c in "0123")


def test_holders_keep_the_order_in_which_they_came():
    shares = Shares[str](9)
    for holder in ("b", "c", "a", "b"):
        shares.add("x", holder)
    assert shares.holders("x") == ["b", "c", "a"]


def test_who_offends_again_and_again_waits_twice_as_long_each_time():
    clock = Clock()
    offenders = Offenders(3, 10, 600, clock=clock)
    waits = []
    for _ in range(12):
        offenders.note("x")
        waits.append(offenders.wait("x"))
    assert waits == [0, 0, 10, 20, 40, 80, 160, 320, 600, 600, 600, 600]
    assert offenders.wait("y") == 0


def test_the_wait_ends_and_in_the_end_all_is_forgotten():
    clock = Clock()
    offenders = Offenders(2, 10, 600, clock=clock)
    offenders.note("x")
    offenders.note("x")
    assert offenders.wait("x") == 10
    clock.now += 10.1
    assert offenders.wait("x") == 0
    offenders.note("x")
    assert offenders.wait("x") == 20  # not forgotten yet
    clock.now += 20 + 601
    offenders.note("x")
    assert offenders.wait("x") == 0


def test_the_memory_of_offenders_is_bounded_and_forgets_the_oldest():
    offenders = Offenders(1, 10, 600, clock=Clock())
    for i in range(REMEMBERED + 10):
        offenders.note(str(i))
        offenders.note("always")
    assert len(offenders._records) == REMEMBERED
    assert offenders.wait("always") == 600
    assert offenders.wait("0") == 0
    assert offenders.wait(str(REMEMBERED + 9)) == 10
