# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A service without a service manager: a process of its own session, a file with its number, a lock on that file.

The lock, not the number, says whether the agent runs. It is a POSIX record lock, taken by the process that becomes the
agent: it passes through ``exec``, is not inherited by the scripts that the agent starts, and is gone the instant the
agent is, however it ended. The kernel says who holds it. A file left by a dead agent therefore means nothing, and a
number that now belongs to somebody else is never signalled.

Such a service does not start with the machine and is not started again when it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import time
from collections.abc import Callable

from module_utils._instance import files

from .base import Service, ServiceError, Status
from .readiness import START_SECONDS, LogWatch, last_lines, read_tail

PID_NAME = "agent.pid"
ERRORS_NAME = os.path.join("Logs", "standalone-errors.txt")
STOP_MARGIN_SECONDS = 10.0  # What an agent may need beyond the time it gives to running scripts.
_KILL_SECONDS = 10.0
_PAUSE = 0.05
_BUSY = b"busy"
_LOCK_FORMAT = "hhqqi4x"  # struct flock: kind, whence, start, length, process; Linux with large files


class Standalone:
    """Starts the agent as a detached process of the calling account."""

    name = "standalone"

    def __init__(self, say: Callable[[str], None], start_seconds: float = START_SECONDS) -> None:
        self._say = say
        self._start_seconds = start_seconds

    def why_not(self) -> str | None:
        """It works wherever there is POSIX."""
        return None if files.ON_POSIX else "it needs a POSIX system."

    def holds(self, service: Service) -> bool:
        """Whether the agent was started this way and runs."""
        return find_process(service.home_directory) is not None

    def install(self, service: Service) -> None:
        """Nothing has to be installed; say what such a service is not."""
        files.make_directory(service.home_directory)
        self._say("It is a process of its own (standalone): it is not restarted by itself and not after a reboot.")

    def uninstall(self, service: Service) -> None:
        """Stop the agent and remove what was kept for stopping it."""
        self.stop(service)
        for name in (PID_NAME, ERRORS_NAME):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(service.home_directory, name))

    def start(self, service: Service) -> bool:
        """Start the agent and wait until it listens; False when it was running."""
        if find_process(service.home_directory) is not None:
            return False
        files.make_directory(os.path.join(service.home_directory, "Logs"))
        watch = LogWatch(service.home_directory)
        answer = _launch(service)
        if answer == _BUSY:
            return False
        if not answer.isdigit():
            raise ServiceError(f"The agent could not be started: {answer.decode('utf-8', 'replace')}")
        pid = int(answer)
        if watch.wait_until_listening(lambda: find_process(service.home_directory) == pid, self._start_seconds):
            return True
        errors = last_lines(read_tail(os.path.join(service.home_directory, ERRORS_NAME))) or watch.last_lines()
        if find_process(service.home_directory) == pid:
            raise ServiceError(
                f"The agent was started (pid {pid}), but does not say that it listens after {self._start_seconds:.0f} "
                f"seconds. Look into {watch.path}.{errors}"
            )
        raise ServiceError(f"The agent ended right after its start. Its last words:{errors or ' none.'}")

    def stop(self, service: Service) -> bool:
        """SIGTERM, its time to end, SIGKILL; False when it was not running."""
        pid = find_process(service.home_directory)
        if pid is None:
            return False
        _signal(pid, signal.SIGTERM)
        if not self._wait_for_end(service, service.drain_seconds + STOP_MARGIN_SECONDS):
            self._say(f"The agent (pid {pid}) did not end in time and is killed.")
            _signal(pid, signal.SIGKILL)
            if not self._wait_for_end(service, _KILL_SECONDS):
                raise ServiceError(f"The agent (pid {pid}) does not end, not even by SIGKILL. The system may hang.")
        return True

    def restart(self, service: Service) -> None:
        """Stop it if it runs, and start it."""
        self.stop(service)
        self.start(service)

    def status(self, service: Service) -> Status:
        """Whether it runs; being there is being installed."""
        pid = find_process(service.home_directory)
        present = pid is not None or os.path.exists(os.path.join(service.home_directory, PID_NAME))
        return Status(installed=present, running=pid is not None, pid=pid, survives_reboot=False)

    def _wait_for_end(self, service: Service, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while find_process(service.home_directory) is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)
        return True


def find_process(home_directory: str) -> int | None:
    """The process number of the agent that runs in this home this way; None when none does. Raises ServiceError."""
    path = os.path.join(home_directory, PID_NAME)
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ServiceError(
            f"The file {path} could not be opened: {error.strerror}. Call this as the account that started the agent."
        ) from error
    try:
        return _lock_holder(descriptor) or None
    finally:
        os.close(descriptor)


def _lock_holder(descriptor: int) -> int:
    """The process that holds the lock, as the kernel knows it; 0 for nobody. Asking disturbs nobody who is starting."""
    question = struct.pack(_LOCK_FORMAT, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    answer = struct.unpack(_LOCK_FORMAT, fcntl.fcntl(descriptor, fcntl.F_GETLK, question))
    kind, holder = answer[0], answer[-1]
    if kind == fcntl.F_UNLCK:
        return 0
    return int(holder) or int(os.read(descriptor, 32) or 0)  # the kernel does not number processes of other containers


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise ServiceError(
            f"The agent (pid {pid}) belongs to another account. Call this as that account, or as root."
        ) from error


def _launch(service: Service) -> bytes:
    """Start the agent detached; its number, ``_BUSY`` when another was quicker, or what went wrong.

    The answer comes through a pipe whose end closes by itself when the agent's program is loaded.
    """
    _fill_standard_descriptors()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _detach_and_run(service, writing)
    os.close(writing)
    try:
        os.waitpid(child, 0)
        answer = b""
        while True:
            part = os.read(reading, 4096)
            if not part:
                lines = answer.splitlines()
                return lines[-1] if lines else b"it ended before it began."
            answer += part
    finally:
        os.close(reading)


def _detach_and_run(service: Service, writing: int) -> None:
    """In the child: leave the session and the terminal, take the lock, become the agent. Never returns."""
    try:
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        _close_all_but(writing)
        descriptor = os.open(os.path.join(service.home_directory, PID_NAME), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.write(writing, _BUSY)
            os._exit(0)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, b"%d\n" % os.getpid())
        os.set_inheritable(descriptor, True)
        _redirect(os.path.join(service.home_directory, ERRORS_NAME))
        os.chdir(service.home_directory)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.write(writing, b"%d\n" % os.getpid())
        os.execv(service.command[0], service.run_command)
    except OSError as error:
        os.write(writing, f"{error}\n".encode("utf-8", "replace"))
    finally:
        os._exit(1)


def _fill_standard_descriptors() -> None:
    """A caller may have closed 0, 1 or 2; a pipe of ours must not get such a number, as those are replaced later."""
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor > 2:
            os.close(descriptor)
            return


def _close_all_but(kept: int) -> None:
    """Let go of everything the caller left open: who waits for the end of a pipe must not wait for the agent."""
    for number in [int(name) for name in os.listdir("/proc/self/fd")]:
        if number > 2 and number != kept:
            with contextlib.suppress(OSError):  # the listing's own descriptor is closed already
                os.close(number)


def _redirect(errors_path: str) -> None:
    """No input, no output: the agent has its log; what it cannot log goes to a file that begins anew each time."""
    null = os.open(os.devnull, os.O_RDWR)
    errors = os.open(errors_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.dup2(errors, 2)
