#!/usr/bin/env bash
# healthy.sh [NODE…]: 0 where every lifecycle node is active (default: the three of the namespace vla).
set -e
. "/opt/ros/$ROS_DISTRO/setup.bash"
. /opt/vla/setup.bash
[[ $# -gt 0 ]] || set -- /vla/perception /vla/policy /vla/safety
for node; do
  state=$(timeout 7 ros2 lifecycle get "$node" 2>&1) || true
  [[ $state == active* ]] || { echo "$node: ${state:-no answer}"; exit 1; }
done
