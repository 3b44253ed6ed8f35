"""The names of the parameters of every node of the graph, which knows no other node's package.

`./vla reference` writes them from the nodes' configs.
"""

from __future__ import annotations

_NAMES = """
<!-- generated: parameter names -->
perception: cameras slop queue_size camera_timeout bad_images good_images max_image_age
max_image_rate feature_hold startup_timeout future_tolerance use_joint_states joint_names
use_end_effector_pose state_timeout command_timeout question_timeout max_command_length stop_words
vocabulary min_known_fraction courtesies execution_timeout standstill_timeout diagnostics_count
lock_step;
cameras.*: topic compressed reliable required absent width height source_width source_height
size_changes damage stray_bytes black_level saturated_share uniform_deviation constant_share
frozen_timeout frozen_motion frozen_at_rest;
policy: checkpoint backend action_space cameras state_names threads providers torch_mode
engine_folder warm_up feature_cache_size min_known_share min_confidence bad_outputs
diagnostics_count done_count max_observation_age observation_timeout inference_period
worker_timeout fault_period remote_url remote_protocol remote_pickle remote_mapping
remote_connect_timeout remote_inference_timeout remote_warm_up_timeout remote_longest_pause
fallback_checkpoint fallback_backend recovery_time attention_overlay lock_step constant_action
constant_forward_time;
safety: action_space slop latency_p99 inference_period blend_window stamp_tolerance chunk_timeout
heartbeat_sources heartbeat_timeout required_inputs input_timeout required_joints
require_emergency_stop emergency_stop_timeout clock_timeout clock_jump loop_timeout
publishers_period realtime_priority parameter_lock stop_words shadow armed_on_start speed_scale
slowing fade_in_time state_file fault_period error_count lock_step recovery_vision
recovery_language recovery_action recovery_communication recovery_robot_state recovery_clock
recovery_obstacle recovery_contact escalation_count escalation_total escalation_window closed_loop
limited_timeout progress_timeout progress_rise progress_motion tracking_timeout tracking_linear
tracking_angular tracking_position obstacle_sources obstacle_zones base_frame footprint
footprint_radius obstacle_distance obstacle_warning workspace_low workspace_high workspace_frame
workspace_required speed_zones position_source tip_frame obstacle_source_required home_pose
home_speed home_tolerance home_timeout people_enabled people_reach people_speed people_reaction
people_intrusion people_uncertainty people_robot_uncertainty people_robot_speed contact_force
contact_torque contact_joints contact_efforts contact_baseline_time contact_yield
contact_yield_speed arm_urdf arm_geometry arm_margin arm_delay arm_speed singularity_lower
singularity_upper arm_point_sources recording_folder recording_duration recording_tail
recording_large_period recording_count recording_bytes teleop_inputs teleop_locks policy_priority
teleop_resume;
console: host port image_rate image_width jpeg_quality viewers jog_linear jog_angular teleop_input
episodes_folder episodes_least_free metrics_token;
simulator: robot task seed step_limit lock_step real_time_factor cameras image_width image_height
image_period_ticks compressed jpeg_quality command_timeout braking_deceleration answer_timeout;
obstacle_sources.*: type topic timeout reliable frame use_tf mount min_height max_height max_points
mask_body;
obstacle_zones.*: action shape margin points radius min_points slowdown_ratio linear_limit
angular_limit time_before_collision simulation_time_step sources;
arm_point_sources.*: type topic timeout reliable frame use_tf mount voxel max_points self_distance;
speed_zones.*: points maximum;
teleop_inputs.*: topic type frame timeout priority dead_man_topic dead_man_timeout;
teleop_locks.*: topic timeout priority;
<!-- end -->
"""


def _by_owner(text: str) -> dict[str, tuple[str, ...]]:
    lines = (line for line in text.splitlines() if line and not line.startswith("<!--"))
    owners = (line.split(": ") for line in " ".join(lines).split(";") if ": " in line)
    return {owner.strip(): tuple(names.split()) for owner, names in owners}


_OWNERS = _by_owner(_NAMES)
# Parameter that lists names → the parameters that each of them has, as `<name>.<parameter>`.
ELEMENTS = {owner[:-2]: names for owner, names in _OWNERS.items() if owner.endswith(".*")}
NODES = {owner: names for owner, names in _OWNERS.items() if not owner.endswith(".*")}
