"""What replay.launch.xml has `ros2 bag play` do: its command, run with another in ros2's place."""

import argparse
import json
import os
import subprocess
import sys

import pytest
from launched import processes

RECORD = f"""#!{sys.executable}
import json, os, sys
print(json.dumps([os.getpid(), sys.argv[1:]]))
"""


@pytest.fixture
def play(tmp_path):
    """Run the command as launch does; returns the options of `ros2 bag play`, and whose it was."""
    program = tmp_path / "bin" / "ros2"
    program.parent.mkdir()
    program.write_text(RECORD)
    program.chmod(0o755)
    parser = argparse.ArgumentParser()  # as far as Humble's and Jazzy's are the same
    parser.add_argument("bag")
    for name in ("--topics", "--remap"):
        parser.add_argument(name, nargs="+")
    for name in ("--clock", "--rate", "--delay"):
        parser.add_argument(name, type=float)

    def run(**arguments):
        spec = processes("replay.launch.xml", **arguments)["bag_play-4"]
        shell = ["/bin/sh", "-c", " ".join(spec.command)]
        path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        with subprocess.Popen(
            shell if spec.shell else spec.command,
            env={**spec.environment, "PATH": path},
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            pid, words = json.loads(process.stdout.read())
            assert pid == process.pid  # so that signals reach it
        assert words[:2] == ["bag", "play"]
        return parser.parse_args(words[2:])

    return run


def test_every_topic_is_played(play):
    options = play()
    assert options.topics == [
        "/camera/image_raw",
        "/camera/image_raw/compressed",
        "/joint_states",
        "/end_effector_pose",
        "/odom",
        "/scan",
        "/range",
        "/vla/command",
    ]
    assert options.bag == "bag"
    assert options.remap == ["/vla/command:=/vla/command"]
    assert (options.clock, options.rate, options.delay) == (200.0, 1.0, 10.0)


@pytest.mark.parametrize("bag", ["/two words", "/a 'b\" $HOME;#*\\"])
def test_the_topics_are_the_user_s_and_the_bag_is_one_word(play, bag):
    options = play(topics="/a /b/c", bag=bag, command="/words", rate="0.5")
    assert options.topics == ["/a", "/b/c"]
    assert options.bag == bag
    assert options.remap == ["/words:=/vla/command"]
    assert options.rate == 0.5
