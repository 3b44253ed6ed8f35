#!/usr/bin/env bash
# Sets the environment of ROS and the graph, then becomes the command.
set -e
. "/opt/ros/$ROS_DISTRO/setup.bash"
. /opt/vla/setup.bash
exec "$@"
