# syntax=docker/dockerfile:1.7
# The robot's computer: Jetson Orin with JetPack 6.2 (L4T r36.4, Ubuntu 22.04, CUDA 12.6, TensorRT 10.3,
# cuDNN 9.3) and ROS 2 Humble. Written by the documentation of its parts; not built by this project yet.
#
#   docker build -f docker/jetson.Dockerfile -t vla:jetson .     (on the Jetson, from the top folder)

# --- What building and running share -------------------------------------------------------------
FROM nvcr.io/nvidia/l4t-jetpack:r36.4.0 AS base
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8 ROS_DISTRO=humble RMW_IMPLEMENTATION=rmw_fastrtps_cpp
# ROS's apt source and its key, as a package with a version.
ARG ROS_APT_SOURCE=1.1.0
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl \
 && curl -fsSL -o /tmp/ros2-apt-source.deb \
      "https://github.com/ros-infrastructure/ros-apt-source/releases/download/${ROS_APT_SOURCE}/ros2-apt-source_${ROS_APT_SOURCE}.jammy_all.deb" \
 && apt-get install -y --no-install-recommends /tmp/ros2-apt-source.deb \
 && rm -rf /tmp/ros2-apt-source.deb /var/lib/apt/lists/*
# Distribution packages are pinned by the distribution (Ubuntu 22.04, Humble), which keeps no old versions.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends \
      python3-pip ros-humble-ros-base ros-humble-cv-bridge ros-humble-message-filters \
      ros-humble-rmw-fastrtps-cpp ros-humble-tf2-ros-py \
 && rm -rf /var/lib/apt/lists/*

# torch, torchvision and torch-tensorrt of one release, built for Orin (sm_87). 2.8 is the newest that
# torch-tensorrt supports there; NVIDIA's TensorRT 10.3 comes with JetPack. numpy stays below 2 because
# Humble's cv_bridge from apt is compiled against NumPy 1, and fails to import with 2.
# NVIDIA's index alone for these three: with PyPI beside it pip takes PyPI's builds of the same versions, which
# have no CUDA on this computer. So their dependencies are in the list, too.
COPY docker/jetson-requirements.txt /tmp/
RUN grep '^torch' /tmp/jetson-requirements.txt > /tmp/torch.txt \
 && grep -v '^torch' /tmp/jetson-requirements.txt > /tmp/others.txt \
 && python3 -m pip install --no-cache-dir --no-deps \
      --index-url https://pypi.jetson-ai-lab.io/jp6/cu126 -r /tmp/torch.txt \
 && python3 -m pip install --no-cache-dir -r /tmp/others.txt \
 && python3 -c "exec(open('/usr/local/lib/python3.10/dist-packages/torch/version.py').read()); assert cuda" \
 && python3 -c "import cv_bridge, numpy; assert numpy.__version__ < '2'"

# --- Build ----------------------------------------------------------------------------------------
FROM base AS build
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends \
      g++ python3-dev python3-colcon-common-extensions python3-rosdep \
 && rm -rf /var/lib/apt/lists/* && rosdep init \
 && python3 -m pip install --no-cache-dir mypy==2.4.1
WORKDIR /ws
COPY src src/vla/src
COPY launch src/vla/launch
COPY config src/vla/config
COPY models src/vla/models
# rosdep's pip keys (mujoco, the simulator's) are no part of a robot; the others are in the requirements.
RUN apt-get update && rosdep update --rosdistro humble \
 && rosdep install --from-paths src --ignore-src -y --dependency-types build \
      --dependency-types buildtool --dependency-types build_export \
 && . /opt/ros/humble/setup.sh \
 && colcon build --merge-install --install-base /opt/vla --cmake-args -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF \
 && . /opt/vla/setup.sh && ros2 run vla_safety compile_limiter \
 && rm -rf /var/lib/apt/lists/*

# --- Run ------------------------------------------------------------------------------------------
FROM base AS run
COPY docker/apt-run.txt /tmp/
# hadolint ignore=DL3008,SC2046
RUN apt-get update && apt-get install -y --no-install-recommends $(grep -v '^#' /tmp/apt-run.txt) \
 && rm -rf /var/lib/apt/lists/*
# 1000 owns the devices on Jetson's default installation; video opens the graphics card, dialout serial ports.
RUN groupadd --gid 1000 vla && useradd --uid 1000 --gid vla --create-home --groups video,dialout vla \
 && mkdir -p /models /keystore /var/lib/vla && chown vla:vla /var/lib/vla
COPY --from=build /opt/vla /opt/vla
COPY --chmod=0755 docker/entrypoint.sh docker/healthy.sh /usr/local/bin/
# TensorRT engines, built once by build_engine, outlive the container with the rest of its state.
ENV VLA_BACKEND=onnxruntime ROS_HOME=/var/lib/vla VLA_ENGINE_FOLDER=/var/lib/vla/engines
USER 1000:1000
WORKDIR /var/lib/vla
STOPSIGNAL SIGINT
HEALTHCHECK --interval=10s --timeout=25s --start-period=60s --retries=3 CMD ["healthy.sh"]
ENTRYPOINT ["entrypoint.sh"]
CMD ["ros2", "launch", "vla_bringup", "vla.launch.xml"]
