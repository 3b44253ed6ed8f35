from vla_safety.watch.watchdog import Health, Watchdog


def test_an_input_that_never_came_is_not_received():
    watchdog = Watchdog()
    assert watchdog.check(1000, 5) is Health.NOT_RECEIVED
    assert watchdog.age(1000) is None


def test_silence_of_just_the_timeout_is_ok_and_more_is_not():
    watchdog = Watchdog()
    watchdog.feed(100)
    assert watchdog.check(105, 5) is Health.OK
    assert watchdog.check(106, 5) is Health.TIMED_OUT
    assert watchdog.age(106) == 6
    watchdog.feed(106)
    assert watchdog.check(106, 5) is Health.OK


def test_a_clock_that_went_back_gives_no_negative_age():
    watchdog = Watchdog()
    watchdog.feed(100)
    assert watchdog.age(50) == 0
    watchdog.forget()
    assert watchdog.check(50, 5) is Health.NOT_RECEIVED
