"""UUIDv7: version and variant of RFC 9562, in the order of their making."""

import time

from src.ids import uuid7


def test_version_and_variant() -> None:
    for _ in range(2000):
        made = uuid7()
        assert made.version == 7
        assert made.variant == "specified in RFC 4122"


def test_they_begin_with_the_time() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    after = time.time_ns() // 1_000_000
    assert before <= made.int >> 80 <= after


def test_they_sort_by_the_time_of_their_making() -> None:
    made = []
    for _ in range(20):
        made.append(uuid7())
        time.sleep(0.0015)
    assert made == sorted(made)
    assert [str(one) for one in made] == sorted(str(one) for one in made)
    assert [one.hex for one in made] == sorted(one.hex for one in made)


def test_none_comes_twice() -> None:
    assert len({uuid7() for _ in range(20_000)}) == 20_000


def test_every_random_bit_varies() -> None:
    ones, zeros = 0, 0
    for _ in range(2000):
        value = uuid7().int
        ones |= value
        zeros |= ~value
    random_bits = (1 << 62) - 1 | 0xFFF << 64
    assert ones & random_bits == random_bits
    assert zeros & random_bits == random_bits
