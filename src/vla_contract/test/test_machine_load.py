"""A machine that is too slow is told from clocks that differ."""

from vla_contract.machine_load import LoadWatch, cores, others_running

PERIOD = 0.02  # s


def watch(load=1, cores=2):
    return LoadWatch(PERIOD, lambda: load, lambda: cores)


def ring(made, gaps):
    now = 100.0 if made._last is None else made._last
    if made._last is None:
        made.tick(now)
    for gap in gaps:
        now += gap
        made.tick(now)


def test_a_timer_that_rings_in_time_on_a_quiet_machine_is_no_overload():
    made = watch()
    ring(made, [0.02, 0.025, 0.015, 0.029] * 50)
    assert (made.missed, made.overload()) == (0, "")


def test_a_timer_that_rings_late_is_told_with_the_figures():
    made = watch(load=2)
    ring(made, [0.02, 0.06] * 20)
    assert made.overload() == (
        "this machine is too slow for what runs on it (load 2.0 on 2 cores; "
        "40 of 80 periods of 20 ms missed)"
    )


def test_more_processes_than_cores_are_told_although_this_timer_rings_in_time():
    made = watch(load=3)
    ring(made, [0.02] * 60)
    assert "load 3.0 on 2 cores; 0 of 60 periods" in made.overload()
    fewer = watch(load=2)
    ring(fewer, [0.02] * 60)
    assert fewer.overload() == ""


def test_a_load_is_told_within_five_seconds_of_its_beginning_and_of_its_end():
    load = [0]
    made = LoadWatch(PERIOD, lambda: load[0], lambda: 2)
    ring(made, [0.02] * 500)
    load[0] = 8
    ring(made, [0.02] * 200)
    assert "on 2 cores" in made.overload()
    load[0] = 0
    ring(made, [0.02] * 260)
    assert made.overload() == ""


def test_one_gap_of_a_quiet_machine_is_forgotten():
    made = watch()
    ring(made, [0.02] * 100 + [0.4] + [0.02] * 50)
    assert "19 of 170 periods" in made.overload()
    ring(made, [0.02] * 300)
    assert (made.missed, made.overload()) == (0, "")


def test_a_gap_right_after_the_start_says_nothing_yet():
    made = watch()
    ring(made, [0.3])
    assert made.overload() == ""


def test_the_machine_is_asked():
    assert others_running() >= 0 and cores() >= 1
