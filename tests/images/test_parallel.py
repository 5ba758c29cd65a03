"""in_order: results in order, a bounded number of batches at once, exceptions as themselves."""

import threading
import time

import cv2
import pytest

from ferline.images.parallel import AHEAD, in_order, one_opencv_thread


def test_results_come_in_the_order_of_the_batches_whoever_finishes_first() -> None:
    def late_first(number: int) -> int:
        time.sleep(0.02 if number % 4 == 0 else 0)
        return number * number

    assert list(in_order(late_first, range(30), workers=4)) == [(n, n * n) for n in range(30)]


def test_no_more_batches_are_read_than_the_workers_need() -> None:
    read = 0

    def batches():
        nonlocal read
        for number in range(100):
            read += 1
            yield number

    most = 0
    for number, _ in in_order(lambda number: number, batches(), workers=2):
        most = max(most, read - number)
    assert read == 100
    assert most <= 2 * AHEAD


def test_an_exception_comes_through_as_itself_and_the_rest_is_given_up() -> None:
    done: list[int] = []

    def fail_at_three(number: int) -> int:
        if number == 3:
            raise MemoryError("no room for image 3")
        done.append(number)
        return number

    results = in_order(fail_at_three, range(1000), workers=2)
    with pytest.raises(MemoryError, match="no room for image 3"):
        list(results)
    assert len(done) < 20
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("faces")]


def test_several_workers_work_at_once() -> None:
    meeting = threading.Barrier(3, timeout=10)  # breaks, and raises, unless three are there together
    assert len(list(in_order(lambda _: meeting.wait(), range(3), workers=3))) == 3


def test_opencv_has_its_own_threads_back_afterwards() -> None:
    before = cv2.getNumThreads()
    with one_opencv_thread():
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == before
