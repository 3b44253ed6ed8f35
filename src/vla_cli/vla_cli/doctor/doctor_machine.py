"""The doctor's look at the machine: sizes, graphics card, heat, power mode, clock."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import time
from pathlib import Path

from vla_cli.doctor.doctor_findings import GIB, Finding, Level, Machine, size
from vla_contract.machine_load import LOAD_PER_CORE, cores, others_running

LEAST_DISK = 1 * GIB
LEAST_SHARED_MEMORY = 256 * 1024**2  # five nodes with a segment of 32 MiB each, and room
LEAST_MEMORY = 2 * GIB
# What a robot's computer is sold with, less what its firmware keeps of it.
ROBOT_MEMORY = int(0.9 * 16e9)
ROBOT_STORAGE = int(0.85 * 64e9)
WARM, HOT = 80.0, 95.0  # degrees Celsius; Orin slows down at 99
LOOK = 0.1  # s between two looks at what wants to run
OFFSET = 0.01  # s; a tenth of the default slop
# As NVIDIA pairs them for JetPack 6.2; docs/deploy.md.
TENSORRT_PACKAGES = ("tensorrt", "torch", "torch-tensorrt")


def storage(machine: Machine) -> list[Finding]:
    """Disk, shared memory, cores, memory, and a robot's minima of them."""
    root = Path(os.environ.get("VLA_ROOT", "."))
    disk = shutil.disk_usage(root)
    found = [size("disk", disk.free, LEAST_DISK, f"free at {root.resolve()}", "free some space")]
    found.append(_shared_memory())
    number = cores()
    level = Level.OK if number >= 2 else Level.WARNING
    found.append(Finding("cores", level, f"{number}" + ("" if number >= 2 else "; 2 are better")))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found.append(size("memory", memory, LEAST_MEMORY, "in all", "a machine with more memory"))
    return [*found, minima(machine, memory, disk.total)]


def load(machine: Machine) -> list[Finding]:
    """What wants to run, over a second: where it is too much, a graph holds again and again."""
    counts = [others_running()]
    while len(counts) * LOOK < 1.0:
        time.sleep(LOOK)
        counts.append(others_running())
    running, number = sum(counts) / len(counts), cores()
    text = f"{running:.1f} threads want to run on {number} cores"
    if running < LOAD_PER_CORE * number:
        return [Finding("load", Level.OK, text)]
    text += ": this machine is too slow for what runs on it"
    return [Finding("load", Level.WARNING, text, "end what need not run: top shows what does")]


def minima(machine: Machine, memory: int, disk: int) -> Finding:
    """A robot's computer: 16 GB of memory and 64 GB of storage; elsewhere less is only told."""
    text = f"{memory / 1e9:.0f} GB of memory, {disk / 1e9:.0f} GB of storage"
    if memory >= ROBOT_MEMORY and disk >= ROBOT_STORAGE:
        return Finding("robot minima", Level.OK, text)
    level = Level.ERROR if machine.jetson() else Level.WARNING
    remedy = "a module with 16 GB, an NVMe drive of 64 GB or more; no limit for the simulation"
    return Finding("robot minima", level, f"{text}; a robot needs 16 GB and 64 GB", remedy)


def _shared_memory() -> Finding:
    if not Path("/dev/shm").is_dir():
        return Finding("shared memory", Level.WARNING, "no /dev/shm: images go over UDP")
    remedy = "docker run --shm-size=512m, or mount -o remount,size=512m /dev/shm"
    free = shutil.disk_usage("/dev/shm").free
    return size("shared memory", free, LEAST_SHARED_MEMORY, "free at /dev/shm", remedy)


def gpu(machine: Machine) -> list[Finding]:
    """The graphics card, and whether TensorRT is there with it."""
    jetson = machine.jetson()
    query = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    listed = (machine.run(*query) or "").strip()
    if not jetson and (not listed or "failed" in listed.lower()):
        text = "no NVIDIA one; backend onnxruntime runs on the processor"
        return [Finding("GPU", Level.OK, text)]
    name = jetson or listed.splitlines()[0]
    return [Finding("GPU", Level.OK, name), tensorrt(bool(jetson), _versions())]


def _versions() -> dict[str, str]:
    found = {}
    for name in TENSORRT_PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def tensorrt(jetson: bool, versions: dict[str, str]) -> Finding:
    """TensorRT, torch and torch-tensorrt: all there, and of one release.

    Args:
        jetson: whether this is one.
        versions: package → version, of those that are installed.
    """
    text = ", ".join(f"{name} {version}" for name, version in versions.items()) or "not installed"
    missing = [name for name in TENSORRT_PACKAGES if name not in versions]
    remedy = "docs/deploy.md, section Jetson: torch, torchvision and torch-tensorrt of one release"
    if missing:
        level = Level.WARNING if jetson else Level.OK
        text += f"; backend tensorrt needs {', '.join(missing)}"
        return Finding("TensorRT", level, text, remedy if jetson else "")
    torch, torch_tensorrt = (versions[name].split("+")[0] for name in TENSORRT_PACKAGES[1:])
    if torch.split(".")[:2] != torch_tensorrt.split(".")[:2]:
        text = f"torch {torch} and torch-tensorrt {torch_tensorrt} are not of one release"
        return Finding("TensorRT", Level.ERROR, text, remedy)
    return Finding("TensorRT", Level.OK, text)


def heat(machine: Machine) -> list[Finding]:
    """The hottest sensor: tegrastats' where it is, else the kernel's."""
    temperatures = [
        float(value)
        for value in re.findall(
            r"@(-?[\d.]+)C", machine.run("tegrastats", "--interval", "200") or ""
        )
    ]
    for number in range(0 if temperatures else 20):
        text = machine.read(f"/sys/class/thermal/thermal_zone{number}/temp")
        if text and text.lstrip("-").isdigit():
            temperatures.append(int(text) / 1000.0)
    if not temperatures:
        return [Finding("temperature", Level.OK, "no sensor can be read")]
    hottest = max(temperatures)
    level = Level.OK if hottest < WARM else Level.WARNING if hottest < HOT else Level.ERROR
    remedy = "" if level is Level.OK else "a fan, free vents, or a lower power mode"
    return [Finding("temperature", level, f"{hottest:.0f} degrees Celsius at most", remedy)]


def power(machine: Machine) -> list[Finding]:
    """The power mode of a Jetson."""
    text = machine.run("nvpmodel", "-q")
    if text is None:
        if not machine.jetson():
            return []
        remedy = "on the host: sudo nvpmodel -q (a container does not have it)"
        return [Finding("power mode", Level.WARNING, "nvpmodel is not here", remedy)]
    mode = re.search(r"Power Mode:\s*(\S+)", text)
    if mode is None:
        remedy = "sudo ./vla doctor"
        return [Finding("power mode", Level.WARNING, "nvpmodel -q names none", remedy)]
    fast = mode[1].upper().startswith("MAXN")
    level = Level.OK if fast else Level.WARNING
    remedy = "" if fast else "sudo nvpmodel -m 0 && sudo jetson_clocks"
    return [Finding("power mode", level, mode[1] + ("" if fast else ": not the fastest"), remedy)]


def clock(machine: Machine) -> list[Finding]:
    """Whether the clock is kept, by chrony or systemd: stamps of two machines are compared."""
    remedy = "sudo apt-get install -y chrony && sudo systemctl enable --now chrony"
    tracking = machine.run("chronyc", "-n", "tracking")
    if tracking and "Leap status" in tracking:
        return [_chrony(tracking)]
    kept = machine.run("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if kept and kept.strip() in ("yes", "no"):
        good = kept.strip() == "yes"
        level = Level.OK if good else Level.WARNING
        text = "synchronised (timedatectl)" if good else "not synchronised (timedatectl)"
        return [Finding("clock", level, text, "" if good else remedy)]
    text = (
        "neither chrony nor systemd keeps it; with cameras on another machine their ages are wrong"
    )
    return [Finding("clock", Level.WARNING, text, remedy)]


def _chrony(tracking: str) -> Finding:
    offset = re.search(r"System time\s*:\s*([\d.]+) seconds (slow|fast)", tracking)
    if "Not synchronised" in tracking or offset is None:
        remedy = "chronyc sources, then the server in /etc/chrony/chrony.conf"
        return Finding("clock", Level.ERROR, "chrony runs and is not synchronised", remedy)
    seconds = float(offset[1])
    text = f"{1000 * seconds:.1f} ms {offset[2]} (chrony)"
    if seconds <= OFFSET:
        return Finding("clock", Level.OK, text)
    remedy = "sudo chronyc makestep"
    return Finding("clock", Level.ERROR, f"{text}; at most {1000 * OFFSET:g} ms", remedy)
