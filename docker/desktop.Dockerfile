# syntax=docker/dockerfile:1.7
# A PC: ROS 2 Humble on Ubuntu 22.04, CUDA 11.8 with cuDNN 8. Newer drivers run it too; for another CUDA give
# CUDA_IMAGE and TORCH_INDEX together. Written by the documentation of its parts; not built by this project yet.
#
#   docker build -f docker/desktop.Dockerfile -t vla:desktop .     (from the top folder)
ARG CUDA_IMAGE=11.8.0-cudnn8-runtime-ubuntu22.04

# --- What building and running share -------------------------------------------------------------
FROM nvidia/cuda:${CUDA_IMAGE} AS base
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8 ROS_DISTRO=humble RMW_IMPLEMENTATION=rmw_fastrtps_cpp
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

# numpy stays below 2: Humble's cv_bridge from apt is compiled against NumPy 1, and fails to import with 2.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cu118
COPY docker/desktop-requirements.txt /tmp/
RUN python3 -m pip install --no-cache-dir --extra-index-url "${TORCH_INDEX}" -r /tmp/desktop-requirements.txt \
 && python3 -c "import cv_bridge, numpy; assert numpy.__version__ < '2'"

# --- Build ----------------------------------------------------------------------------------------
FROM base AS build
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends \
      build-essential cmake python3-dev python3-colcon-common-extensions python3-rosdep \
 && rm -rf /var/lib/apt/lists/* && rosdep init \
 && python3 -m pip install --no-cache-dir mypy==2.4.1
WORKDIR /ws
COPY src src/vla/src
COPY launch src/vla/launch
COPY config src/vla/config
COPY models src/vla/models
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
RUN groupadd --gid 1000 vla && useradd --uid 1000 --gid vla --create-home --groups video,dialout vla \
 && mkdir -p /models /keystore /var/lib/vla && chown vla:vla /var/lib/vla
COPY --from=build /opt/vla /opt/vla
COPY --chmod=0755 docker/entrypoint.sh docker/healthy.sh /usr/local/bin/
ENV VLA_BACKEND=onnxruntime ROS_HOME=/var/lib/vla
USER 1000:1000
WORKDIR /var/lib/vla
STOPSIGNAL SIGINT
HEALTHCHECK --interval=10s --timeout=25s --start-period=60s --retries=3 CMD ["healthy.sh"]
ENTRYPOINT ["entrypoint.sh"]
CMD ["ros2", "launch", "vla_bringup", "vla.launch.xml"]
