"""The retry budget, alone and in a simulated outage."""

from steelyard_gateway.budget import LEAST_RETRIES, RETRY_SHARE, WINDOW_SECONDS, RetryBudget

NOW = 1000.0


def asked(budget: RetryBudget, requests: int, name: str = "m", now: float = NOW) -> RetryBudget:
    for _ in range(requests):
        budget.request(name, now)
    return budget


def allowed(budget: RetryBudget, name: str = "m", now: float = NOW, under_way: int = 0) -> int:
    """How many retries are allowed until one is not."""
    return next(number for number in range(10_000) if not budget.may_retry(name, now, under_way))


def test_a_fifth_of_the_requests_may_be_tried_again() -> None:
    budget = asked(RetryBudget(), 1000)
    assert allowed(budget) == 200
    assert budget.refused == 1


def test_few_requests_have_ten_retries() -> None:
    assert allowed(asked(RetryBudget(), 1)) == LEAST_RETRIES


def test_requests_that_take_longer_than_the_window_count_as_long_as_they_are_under_way() -> None:
    assert allowed(asked(RetryBudget(), 1), under_way=300) == 60


def test_what_fails_under_one_name_leaves_the_others_theirs() -> None:
    budget = asked(asked(RetryBudget(), 100, "a"), 100, "b")
    assert (allowed(budget, "a"), allowed(budget, "b")) == (20, 20)


def test_retries_that_are_answered_use_nothing_up() -> None:
    budget = asked(RetryBudget(), 1)
    for _ in range(10 * LEAST_RETRIES):
        assert budget.may_retry("m", NOW)
        budget.worked("m")
    assert allowed(budget) == LEAST_RETRIES


def test_a_retry_of_the_half_window_before_is_given_back_too() -> None:
    budget = asked(RetryBudget(), 1)
    assert allowed(budget) == LEAST_RETRIES
    assert allowed(budget, now=NOW + WINDOW_SECONDS / 2) == 0
    budget.worked("m")
    budget.worked("m")
    assert allowed(budget, now=NOW + WINDOW_SECONDS / 2) == 2


def test_a_retry_counts_for_half_a_window_at_least_and_a_whole_one_at_most() -> None:
    budget = asked(RetryBudget(), 1)
    assert allowed(budget) == LEAST_RETRIES
    assert allowed(budget, now=NOW + WINDOW_SECONDS - 0.1) == 0
    assert allowed(budget, now=NOW + WINDOW_SECONDS) == LEAST_RETRIES


def test_requests_of_long_ago_give_no_retries() -> None:
    budget = asked(RetryBudget(), 1000)
    budget.request("m", NOW + 100)
    assert allowed(budget, now=NOW + 100) == LEAST_RETRIES


def test_an_outage_makes_no_storm() -> None:
    budget, attempts, requests = RetryBudget(), 0, 0
    for second in range(60):
        for number in range(200):
            now = NOW + second + number / 200
            budget.request("m", now)
            requests += 1
            attempts += 1
            tries = 1
            while tries < 3 and budget.may_retry("m", now):
                tries += 1
                attempts += 1
    assert attempts <= requests * (1 + RETRY_SHARE) + LEAST_RETRIES
    assert attempts > requests * (1 + RETRY_SHARE) * 0.95
