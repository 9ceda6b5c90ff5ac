"""The cache of answers: fresh, bounded, and what is used stays."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from gateway.evidence.zone import Answer, Question, found
from gateway.resolver.cache import Cache

NAMES = [Question(f"n{number}.example", "A") for number in range(6)]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(NAMES), st.sampled_from([0, 1, 3, 3, 50])),
        st.tuples(st.just("get"), st.sampled_from(NAMES), st.just(0)),
        st.tuples(st.just("wait"), st.just(NAMES[0]), st.integers(1, 4)),
    ),
    max_size=60,
)


@given(st.integers(1, 8), steps)
def test_an_answer_is_the_last_one_put_and_in_time_and_there_are_never_too_many(
    size: int, taken: Sequence[tuple[str, Question, int]]
) -> None:
    now = 0.0
    cache = Cache(size, lambda: now)
    put: dict[Question, tuple[float, Answer]] = {}
    for number, (step, question, seconds) in enumerate(taken):
        if step == "put":
            answer = found(f"192.0.2.{number}")
            cache.put(question, answer, seconds)
            if seconds:
                put[question] = (now + seconds, answer)
        elif step == "wait":
            now += seconds
        fresh = {name: answer for name, (until, answer) in put.items() if now < until}
        known = cache.get(question)
        assert known is None or known is fresh[question]
        if size >= len(NAMES):  # nothing had to go
            assert known is fresh.get(question)
            assert len(cache) == len(fresh)
        assert len(cache) <= size
        assert len(cache._answers) + len(cache._answers.unused) == len(cache)
        assert len(cache._ends) <= 2 * size


def test_what_is_used_stays_while_others_pass_by() -> None:
    cache = Cache(100, lambda: 0.0)
    used = Question("used.example", "A")
    cache.put(used, found("192.0.2.1"), 1)
    for number in range(1000):
        cache.put(Question(f"n{number}.example", "A"), found("192.0.2.2"), 1)
        if number % 40 == 0:
            assert cache.fresh().get(used)
    kept = [number for number in range(1000) if cache.get(Question(f"n{number}.example", "A"))]
    assert kept == list(range(901, 1000))


def test_a_thread_reads_and_changes_nothing() -> None:
    """What it brought back while it expired would have no end."""
    cache = Cache(4, lambda: 0.0)
    for name in NAMES[:4]:
        cache.put(name, found("192.0.2.1"), 50)
    before = dict(cache._answers), dict(cache._answers.unused)
    zone = cache.fresh()
    with ThreadPoolExecutor(1) as threads:
        answers = list(threads.map(zone.get, NAMES))
    assert [answer is not None for answer in answers] == [True] * 4 + [False] * 2
    assert (dict(cache._answers), dict(cache._answers.unused)) == before
    assert before[1], "or nothing was to be brought back"
