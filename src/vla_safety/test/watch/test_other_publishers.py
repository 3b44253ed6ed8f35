from vla_safety.watch.other_publishers import ChunkSenders, CommandSenders, Endpoint, Mixture, Twin

SECOND = 1_000_000_000
POLICY = Endpoint("/vla/policy", b"1")
AGAIN = Endpoint("/vla/policy", b"2")
INTRUDER = Endpoint("/intruder", b"3")


def test_one_publisher_of_chunks_is_fine():
    senders = ChunkSenders()
    assert senders.look([], 0) == ""
    assert senders.look([POLICY], SECOND) == ""


def test_a_second_one_is_named_whatever_it_calls_itself():
    for other in (AGAIN, INTRUDER):
        senders = ChunkSenders()
        senders.heard(SECOND)
        assert senders.look([POLICY], SECOND) == ""
        text = senders.look([POLICY, other], SECOND + 1)
        assert text == f"chunks come from 2 publishers: {POLICY.node}, {other.node}"
        assert senders.look([POLICY], SECOND + 2) == ""


def test_one_that_fell_silent_before_its_namesake_came_is_dead():
    senders = ChunkSenders()
    senders.heard(SECOND)
    assert senders.look([POLICY], SECOND) == ""
    assert senders.look([POLICY, AGAIN], 3 * SECOND) == ""
    senders.heard(3 * SECOND)
    # The dead one stays in the graph for a while; a third one is still a fault.
    assert senders.look([POLICY, AGAIN], 4 * SECOND) == ""
    assert "2 publishers" in senders.look([POLICY, AGAIN, INTRUDER], 3 * SECOND + 1)
    # Another name does not take over from a silent policy.
    senders = ChunkSenders()
    senders.heard(SECOND)
    senders.look([POLICY], SECOND)
    assert "2 publishers" in senders.look([POLICY, INTRUDER], 3 * SECOND)


def test_its_namesake_may_get_its_name_later():
    nameless = Endpoint("_NODE_NAMESPACE_UNKNOWN_/_NODE_NAME_UNKNOWN_", AGAIN.gid)
    senders = ChunkSenders()
    senders.heard(SECOND)
    assert senders.look([POLICY], SECOND) == ""
    assert "2 publishers" in senders.look([POLICY, nameless], 3 * SECOND)
    assert senders.look([POLICY, AGAIN], 3 * SECOND + 1) == ""


def test_a_second_one_without_a_name_yet_is_a_fault_also_after_a_silence():
    nameless = Endpoint("_NODE_NAMESPACE_UNKNOWN_/_NODE_NAME_UNKNOWN_", INTRUDER.gid)
    senders = ChunkSenders()
    senders.heard(SECOND)
    assert senders.look([POLICY], SECOND) == ""
    senders.heard(2 * SECOND)
    for later in range(3):
        assert "2 publishers" in senders.look([POLICY, nameless], 2 * SECOND + later)
    assert "2 publishers" in senders.look([POLICY, INTRUDER], 2 * SECOND + 3)


def test_numbers_that_go_back_and_forth_come_from_two():
    mixture = Mixture()
    for number in (5, 6, 7, 1, 2, 3):
        mixture.observe(number, SECOND)
    assert mixture.problem(SECOND) == "", "a policy that starts anew begins to count anew"
    for number in (8, 4, 9, 5):
        mixture.observe(number, 2 * SECOND)
    assert mixture.problem(2 * SECOND) == "chunks of two senders alternate"
    assert mixture.problem(4 * SECOND) == ""
    for _ in range(9):
        Mixture().observe(0, SECOND)


def test_only_this_node_publishes_the_robots_commands():
    own, twin = Endpoint("/vla/safety", b"o"), Endpoint("/vla/safety", b"t")
    senders = CommandSenders([b"o"], "/vla/safety")
    assert senders.look([own], False) == ""
    assert "/intruder" in senders.look([own, INTRUDER], False)
    # One that only calls itself safety is as bad.
    assert "/vla/safety" in senders.look([own, twin], False)
    # One that was heard and is no longer is dead.
    assert "/vla/safety" in senders.look([own, twin], True)
    assert senders.look([own, twin], False) == ""


def test_a_twin_is_heard_by_levels_that_this_node_did_not_send():
    twin = Twin(SECOND)
    twin.remember_own(5)
    assert not twin.observe_level(5, 0) and not twin.lives(0)
    assert twin.observe_level(6, 0) and twin.lives(SECOND)
    assert not twin.lives(SECOND + 1)
