"""What is gathered into one forward pass, and when it is not waited for."""

import asyncio
import threading

import pytest

from vla_serve.batching import Batcher

LONG = 100.0  # s; a test that waited for it would not end


def run(scenario, **options):
    """Runs scenario(batcher) beside the batcher; returns its result and the batches."""
    batches = []
    answer = options.pop("answer", lambda batch: [2 * each for each in batch])
    values = {"window": 0.0, "largest": 16, "clients": lambda: 99, **options}

    def noted(batch):
        batches.append(list(batch))
        return answer(batch)

    async def whole():
        batcher = Batcher(noted, **values)
        running = asyncio.create_task(batcher.run())
        try:
            return await asyncio.wait_for(scenario(batcher), 30.0)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    return asyncio.run(whole()), batches


async def all_of(batcher, questions):
    return await asyncio.gather(*map(batcher.submit, questions), return_exceptions=True)


def test_what_comes_within_the_window_goes_along():
    results, batches = run(lambda b: all_of(b, [1, 2, 3]), window=0.5)
    assert results == [2, 4, 6] and batches == [[1, 2, 3]]


def test_a_batch_has_no_more_than_the_largest():
    results, batches = run(lambda b: all_of(b, range(5)), window=LONG, largest=2, clients=lambda: 1)
    assert results == [0, 2, 4, 6, 8]
    assert max(map(len, batches)) <= 2 and sum(batches, []) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("count", [1, 3])
def test_where_every_client_waits_the_window_is_over(count):
    results, batches = run(lambda b: all_of(b, range(count)), window=LONG, clients=lambda: count)
    assert len(results) == count and len(batches) == 1


def test_while_a_pass_runs_the_next_ones_gather():
    go_on, began = threading.Event(), threading.Event()

    def answer(batch):
        began.set()
        assert go_on.wait(30.0)
        return batch

    async def scenario(batcher):
        first = asyncio.create_task(batcher.submit(0))
        await asyncio.to_thread(began.wait, 30.0)
        others = [asyncio.create_task(batcher.submit(i)) for i in (1, 2, 3)]
        await asyncio.sleep(0)
        go_on.set()
        return await asyncio.gather(first, *others)

    assert run(scenario, answer=answer)[1] == [[0], [1, 2, 3]]


def test_a_failed_pass_is_told_to_all_of_it_and_the_next_is_made():
    def answer(batch):
        if 0 in batch:
            raise ValueError("no zero")
        return batch

    async def scenario(batcher):
        return await all_of(batcher, [0, 1]), await batcher.submit(2)

    (failed, after), _ = run(scenario, answer=answer, window=0.5)
    assert [str(error) for error in failed] == ["no zero", "no zero"] and after == 2


def test_too_few_results_are_an_error():
    (found,), _ = run(lambda b: all_of(b, [1]), answer=lambda batch: [])
    assert isinstance(found, RuntimeError)


def test_who_no_longer_waits_is_not_answered():
    async def scenario(batcher):
        gone = asyncio.create_task(batcher.submit(1))
        await asyncio.sleep(0)
        gone.cancel()
        return await batcher.submit(2)

    result, batches = run(scenario, window=0.2)
    assert result == 4 and batches == [[2]]
