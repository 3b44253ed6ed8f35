from vla_safety.publishers import other_publishers


def test_one_node_is_fine_also_while_its_dead_self_is_still_listed():
    assert other_publishers([]) == ""
    assert other_publishers(["/vla/policy"]) == ""
    assert other_publishers(["/vla/policy", "/vla/policy"]) == ""


def test_two_nodes_are_named():
    text = other_publishers(["/vla/policy", "/intruder"])
    assert text == "chunks come from 2 nodes: /intruder, /vla/policy"
