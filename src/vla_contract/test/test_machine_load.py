"""A machine that is too slow is told from clocks that differ."""

from vla_contract.machine_load import LoadWatch, machine_load

PERIOD = 0.02  # s


def watch(load=0.5, cores=2):
    return LoadWatch(PERIOD, lambda: (load, cores))


def ring(made, gaps):
    now = 100.0
    made.tick(now)
    for gap in gaps:
        now += gap
        made.tick(now)


def test_a_timer_that_rings_in_time_on_a_quiet_machine_is_no_overload():
    made = watch()
    ring(made, [0.02, 0.025, 0.015, 0.029] * 50)
    assert (made.missed, made.overload()) == (0, "")


def test_a_timer_that_rings_late_is_told_with_the_figures():
    made = watch(load=1.9)
    ring(made, [0.02, 0.06] * 20)
    assert made.overload() == (
        "this machine is too slow for what runs on it (load 1.9 on 2 cores; "
        "40 of 80 periods of 20 ms missed)"
    )


def test_more_processes_than_cores_are_told_although_this_timer_rings_in_time():
    made = watch(load=3.0)
    ring(made, [0.02] * 50)
    assert "load 3.0 on 2 cores; 0 of 50 periods" in made.overload()
    assert watch(load=2.9).overload() == ""


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
    load, cores = machine_load()
    assert load >= 0.0 and cores >= 1
