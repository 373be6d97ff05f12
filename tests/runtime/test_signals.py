"""Ctrl-C and SIGTERM end the work between two steps, with their exit codes."""

import os
import signal
import threading

import pytest

from stickerforge.errors import Interrupted
from stickerforge.runtime.signals import interruptible, stoppable

SIGNALS = [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]


@pytest.mark.parametrize(("number", "code", "message"), SIGNALS)
def test_the_first_signal_interrupts(number, code, message):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=message) as caught, interruptible():
        os.kill(os.getpid(), number)
    assert caught.value.code == code
    assert signal.getsignal(number) == before


@pytest.mark.parametrize(("number", "code", "message"), SIGNALS)
def test_work_that_checks_ends_only_where_it_checks(number, code, message):
    steps = []
    with pytest.raises(Interrupted, match=message) as caught, stoppable() as check:
        check()
        os.kill(os.getpid(), number)
        steps.append("finished")
        check()
    assert steps == ["finished"]
    assert caught.value.code == code


def test_other_threads_are_left_alone():
    handlers = []

    def work():
        with stoppable() as check:
            handlers.append(signal.getsignal(signal.SIGINT))
            check()

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [before]
