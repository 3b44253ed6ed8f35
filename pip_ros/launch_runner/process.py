"""One process of a launch: started, watched, its output passed on, started again if so wanted."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from typing import IO

from .specs import ProcessSpec

PR_SET_PDEATHSIG = 1
CANNOT_START = 78  # exit status, EX_CONFIG of sysexits.h
_prctl = ctypes.CDLL(None).prctl
Print = Callable[[str], None]


def _die_with(parent: int) -> Callable[[], None]:
    """Return what a new process does before it runs.

    It asks for SIGTERM at its parent's death, and obeys SIGINT. SIGTERM, because a node brakes on
    it before it exits.
    """

    def prepare() -> None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.signal(
            signal.SIGINT, signal.SIG_DFL
        )  # a shell's background job would inherit to ignore it
        if os.getppid() != parent:  # it died in between
            os.kill(os.getpid(), signal.SIGTERM)

    return prepare


class Process:
    """A process and the thread that starts it and waits for it.

    Attributes:
        fatal: the last line that it logged as fatal.
        sent: signals that the launch has sent to it.
    """

    def __init__(self, spec: ProcessSpec, print_line: Print) -> None:
        self.spec = spec
        self.starts = 0
        self.sent: set[int] = set()
        self.fatal = ""
        self._print = print_line
        self._child: subprocess.Popen[bytes] | None = None
        self._returncode: int | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        # For the kernel a thread is the parent: it must live as long as the child it started.
        self._thread = threading.Thread(target=self._run, name=spec.label, daemon=True)

    @property
    def pid(self) -> int | None:
        """The process id, or None when it is not running."""
        child = self._child
        return child.pid if child is not None and child.returncode is None else None

    @property
    def returncode(self) -> int | None:
        """How it ended: exit status, negative signal number, or None (it runs, or never did)."""
        return None if self._thread.is_alive() else self._returncode

    @property
    def alive(self) -> bool:
        """Whether it runs or will be started again."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start it."""
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for its last end and return whether it has come; never started counts as ended."""
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def stop_respawning(self) -> None:
        """Let its next end be the last."""
        self._stopping.set()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and to what it has started in its group."""
        with self._lock:  # the group is not gone before the process is reaped
            if self.pid is None:
                return
            self.sent.add(number)
            os.killpg(self.pid, number)

    def _run(self) -> None:
        while True:
            self._run_once()
            if self._stopping.is_set() or not self.spec.respawn:
                return
            if self._stopping.wait(self.spec.respawn_delay):
                return

    def _run_once(self) -> None:
        label = self.spec.label
        try:
            child = self._spawn()
        except OSError as error:
            self._print(f"[ERROR] [{label}]: cannot start {self.spec.command[0]}: {error.strerror}")
            self._returncode = 127
            self._stopping.set()
            return
        if child is None:
            return
        self._print(f"[INFO] [{label}]: process started with pid [{child.pid}]")
        readers = [
            self._read(child.stdout, self.spec.output != "log"),
            self._read(child.stderr, True),
        ]
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            self._returncode = child.wait()
        for reader in readers:
            reader.join(timeout=1.0)  # what it started may still hold the pipe
        if self._returncode == 0:
            self._print(f"[INFO] [{label}]: process has finished cleanly [pid {child.pid}]")
        elif -self._returncode in self.sent - {signal.SIGKILL}:
            name = signal.Signals(-self._returncode).name
            self._print(f"[INFO] [{label}]: process has ended by {name} [pid {child.pid}]")
        else:
            command = " ".join(self.spec.command)
            self._print(
                f"[ERROR] [{label}]: process has died "
                f"[pid {child.pid}, exit code {self._returncode}, cmd '{command}']."
            )

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        spec = self.spec
        with self._lock:
            if self._stopping.is_set():  # the signals that end it may have been sent already
                return None
            self._child = subprocess.Popen(
                " ".join(spec.command) if spec.shell else spec.command,
                shell=spec.shell,
                cwd=spec.cwd,
                env=dict(spec.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C reaches the runner alone, which passes it on
                preexec_fn=_die_with(os.getpid()),
            )
            self.starts += 1
            return self._child

    def _read(self, stream: IO[bytes] | None, shown: bool) -> threading.Thread:
        def read() -> None:
            for line in stream or ():
                text = f"[{self.spec.label}] {line.decode(errors='replace').rstrip()}"
                if "[FATAL]" in text:
                    self.fatal = text
                if shown:
                    self._print(text)

        thread = threading.Thread(target=read, name=f"{self.spec.label} output", daemon=True)
        thread.start()
        return thread
