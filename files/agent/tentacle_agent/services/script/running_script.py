# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""One script from the moment it is ready to start until its result is on the disk.

Pending, while it waits for the mutex; Running, once it has it; Complete, when nothing of it is to come any more
(docs/protocol/tentacle-services.md §2.3). Each script has a thread of its own for the whole way. A step is recorded
in the state file before it is taken or told: Running before bash is started, the result before anybody can see it.
"""

from __future__ import annotations

import logging
import os
import pwd
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from module_utils._halibut.contracts import COMPLETE, PENDING, RUNNING, SOURCE_DEBUG, SOURCE_STDERR, SOURCE_STDOUT
from module_utils._halibut.values import value
from module_utils._instance.errors import InstanceError

from ...isolation import DEFAULT_NAME, Claim, IsolationMutex
from ...workspace import Workspace
from . import isolation_texts
from .arguments import command_line
from .cancellation import Cancellation
from .child import SHELL, AdoptedChild, Child, LaunchError
from .keeper import Keeper
from .output_log import OutputLog
from .process import HandedOver, ScriptProcess
from .script_state import ScriptState, StateFile

_LOG = logging.getLogger("tentacle_agent.script")

EXIT_FATAL, EXIT_LAUNCH_FAILED, EXIT_CANCELED, EXIT_TIMEOUT = -41, -42, -43, -44
EXIT_UNKNOWN_SCRIPT, EXIT_UNKNOWN_RESULT = -45, -46


Recorded = Optional[tuple[StateFile, ScriptState]]
"""The state file of a script and what it says; None for one of which nothing outlives this process of the agent."""


@value(frozen=True)
class LaunchSettings:
    """All that starting takes and the workspace does not hold. Times in seconds; 0 means no limit."""

    task: str
    exclusive: bool
    mutex_name: str | None
    mutex_timeout: float
    arguments: tuple[str | None, ...] | None

    def to_document(self) -> dict[str, Any]:
        """As the state file keeps it."""
        arguments = None if self.arguments is None else list(self.arguments)
        return {"TaskId": self.task, "FullIsolation": self.exclusive, "MutexName": self.mutex_name,
                "MutexTimeout": self.mutex_timeout, "Arguments": arguments}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> LaunchSettings:
        """As it was kept. Raises KeyError, TypeError or ValueError."""
        arguments = document["Arguments"]
        return cls(str(document["TaskId"]), bool(document["FullIsolation"]), document["MutexName"],
                   float(document["MutexTimeout"]), None if arguments is None else tuple(arguments))


@value(frozen=True)
class ScriptHost:
    """What all scripts of an agent share. Intervals in seconds: first word about waiting, and the next ones.

    With a ``keeper``, scripts with a state file can be adopted by the next process of the agent.
    """

    mutex: IsolationMutex
    environment: Mapping[str, str]
    account: str
    keeper: Keeper | None = None
    first_notice: float = 0.1
    next_notice: float = 600.0


class RunningScript:
    """A script that was started by this process of the agent, also after it has ended."""

    def __init__(self, host: ScriptHost, workspace: Workspace, log: OutputLog, settings: LaunchSettings,
                 recorded: Recorded = None) -> None:
        self.workspace = workspace
        self.log = log
        self._host = host
        self._settings = settings
        self._recorded = recorded
        self._disowned = False
        self._log_problem: OSError | None = None
        self._record_lock = threading.Lock()
        self._cancellation = Cancellation()
        self._claim: Claim | None = None
        self._process: ScriptProcess | None = None
        self._kept = False
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._state, self._exit_code = PENDING, 0

    def start(self) -> None:
        """Begin in a thread of its own; returns at once. Raises RuntimeError when there can be no more threads.

        The log is opened before that, so that it is certainly the one of this workspace.
        """
        self._begin(self._await_and_execute)

    def adopt(self, child: AdoptedChild, rests: Mapping[int, bytes]) -> None:
        """Go on with a script of an earlier process; the mutex is its at once, as it was before."""
        settings = self._settings
        self._claim = self._host.mutex.claim(settings.mutex_name, settings.exclusive, settings.task)
        self._state, self._kept = RUNNING, True
        receiver = _Receiver(self.log)
        self._process = process = ScriptProcess(child, receiver, self._cancellation, rests)
        self._begin(lambda: self._listen(process, receiver))

    def _begin(self, way: Callable[[], int]) -> None:
        try:
            self.log.open()
        except OSError as error:
            self._log_problem = error
        self._thread = threading.Thread(target=self._run, args=(way,), name=f"script {self.workspace.ticket}",
                                        daemon=True)
        self._thread.start()

    @property
    def status(self) -> tuple[int, int]:
        """State and exit code; 0 until complete."""
        with self._changed:
            return self._state, self._exit_code

    def cancel(self) -> None:
        """Ask the script to end; returns at once, and may be repeated."""
        self._cancellation.request()

    def wait(self, seconds: float) -> bool:
        """Wait until the script is complete, at most so long; True if it is."""
        with self._changed:
            seconds = min(max(seconds, 0.0), threading.TIMEOUT_MAX)
            return self._changed.wait_for(lambda: self._state == COMPLETE, seconds)

    def disown(self) -> None:
        """The workspace goes to be deleted: nothing is recorded there any more, and nothing started.

        A script that runs goes on; one that still waits for its turn is cancelled.
        """
        with self._record_lock:
            self._recorded, self._disowned = None, True
            self._give_up_keeping()
        state = self.status[0]
        if state == PENDING:
            self.cancel()
        elif state == COMPLETE:
            self.log.forget()

    def hand_over(self, seconds: float) -> bool:
        """Leave a script that runs to the next process of the agent; whether that could be done within the time."""
        with self._record_lock:
            process, kept = self._process, self._kept
        if process is None or not kept or self._thread is None:
            return False
        process.hand_over()
        self._thread.join(max(seconds, 0.0))
        return not self._thread.is_alive() and self.status[0] != COMPLETE

    def _run(self, way: Callable[[], int]) -> None:
        exit_code = EXIT_FATAL
        try:
            exit_code = way()
        except HandedOver as handed:
            rests = handed.rests
            self._sync_log()
            self._record(lambda state: state.handed_over(rests))
            return
        except OSError as error:
            _LOG.error("The log of script %s cannot be written: %s", self.workspace.ticket, error)
        except Exception:
            _LOG.exception("Script %s failed inside the agent.", self.workspace.ticket)
        if self._claim is not None:
            self._claim.release()
        self._complete(exit_code)

    def _await_and_execute(self) -> int:
        if self._log_problem is not None:
            raise self._log_problem
        settings = self._settings
        self._claim = claim = self._host.mutex.claim(settings.mutex_name, settings.exclusive, settings.task)
        name = DEFAULT_NAME if settings.mutex_name is None else settings.mutex_name
        self.log.append(SOURCE_STDOUT, isolation_texts.asking(name, claim))
        return self._enter(claim)

    def _enter(self, claim: Claim) -> int:
        """Wait for the mutex, then execute; the exit code."""
        self._cancellation.watch(claim.wake)
        try:
            self._await_turn(claim)
        finally:
            self._cancellation.watch(None)
        if self._cancellation.requested:
            self._say(isolation_texts.cancelled(claim), "Script execution canceled.")
            return EXIT_CANCELED
        if not claim.granted:
            self._say(isolation_texts.timed_out(claim, self._settings.mutex_timeout), "Script execution timed out.")
            return EXIT_TIMEOUT
        if not self._record_running():
            return EXIT_FATAL
        self._set_state(RUNNING, 0)
        return self._execute()

    def _await_turn(self, claim: Claim) -> None:
        """Wait until the claim is granted, cancelled or too old, with a word in the log now and then."""
        limit = time.monotonic() + (self._settings.mutex_timeout or threading.TIMEOUT_MAX)
        pause = self._host.first_notice
        while not claim.granted and not self._cancellation.requested:
            remaining = limit - time.monotonic()
            if remaining <= 0:
                return
            if not claim.wait(min(pause, remaining)) and not self._cancellation.requested and pause < remaining:
                self.log.append(SOURCE_STDOUT, isolation_texts.busy(claim))
                pause = self._host.next_notice

    def _execute(self) -> int:
        directory = self.workspace.path
        self.log.append(SOURCE_DEBUG, [
            f"Executable directory is {os.path.dirname(SHELL)}",
            f"Executable name or full path: {SHELL}",
            f"Starting {SHELL} in working directory '{directory}' using 'Unicode (UTF-8)' encoding "
            f"running as '{self._host.account}'",
        ])
        words = command_line(self.workspace.bootstrap_path, self._settings.arguments)
        receiver = _Receiver(self.log)
        try:
            with self._record_lock:
                if self._disowned:
                    return EXIT_CANCELED
                process = self._launch(words, receiver)
        except LaunchError as error:
            import traceback  # only here: it brings the tokenizer

            details = "".join(traceback.format_exception_only(type(error.__cause__), error.__cause__)).strip()
            self.log.append(SOURCE_STDERR, [f"An exception was thrown when invoking {SHELL}: {error}", details])
            return EXIT_LAUNCH_FAILED
        return self._listen(process, receiver)

    def _launch(self, words: Sequence[str], receiver: _Receiver) -> ScriptProcess:
        """Start bash, and have it kept where that is wanted. Raises LaunchError."""
        keeper = self._keeper
        child = Child.start(words, self.workspace.path, self._host.environment, telling=keeper is not None)
        try:
            self._process = ScriptProcess(child, receiver, self._cancellation)
            self._kept = keeper is not None and keeper.keep(self.workspace.ticket, child)
        except OSError as error:
            child.kill()
            child.close()
            raise LaunchError(str(error)) from error
        return self._process

    def _listen(self, process: ScriptProcess, receiver: _Receiver) -> int:
        exit_code = process.run()
        if receiver.failure is not None:
            raise receiver.failure
        line = f"Process {SHELL} in {self.workspace.path} exited with code {exit_code}"
        self.log.append(SOURCE_DEBUG, [line])
        return exit_code

    @property
    def _keeper(self) -> Keeper | None:
        """Who has this script kept; nobody where it leaves no record that another process could read."""
        return self._host.keeper if self._recorded is not None else None

    def _say(self, *lines: str) -> None:
        self.log.append(SOURCE_STDOUT, lines)

    def _record_running(self) -> bool:
        """Have it on the disk that the script runs; False if it must not be started, because that cannot be had."""
        recorded = self._recorded
        adoptable = self._keeper is not None
        if recorded is None or self._record(lambda state: state.running(adoptable)):
            return True
        try:
            recorded[0].spoil()
        except OSError as error:
            _LOG.error("Script %s is not started, its state cannot be changed: %s", self.workspace.ticket, error)
            return False
        return True

    def _complete(self, exit_code: int) -> None:
        """Record the result, then let it be seen."""
        try:
            if self._recorded is not None:
                self._sync_log()
                self._record(lambda state: state.complete(exit_code))
            with self._record_lock:
                self._give_up_keeping()
            self.log.close()
        finally:
            self._set_state(COMPLETE, exit_code)
        if self._disowned:
            self.log.forget()

    def _give_up_keeping(self) -> None:
        """Nobody is to adopt the script any more; the caller holds the lock of the record."""
        if self._kept and self._host.keeper is not None:
            self._kept = False
            self._host.keeper.drop(self.workspace.ticket)

    def _sync_log(self) -> None:
        try:
            self.log.sync()
        except OSError as error:
            _LOG.warning("The log of script %s is not surely on the disk: %s", self.workspace.ticket, error)

    def _record(self, change: Callable[[ScriptState], ScriptState]) -> bool:
        """Write the next version of the state file; a failure is told in the log."""
        with self._record_lock:
            if self._recorded is None:
                return True
            file, state = self._recorded[0], change(self._recorded[1])
            self._recorded = file, state
            try:
                file.save(state)
                return True
            except (InstanceError, OSError) as error:
                problem = error
        try:
            self._say(f"Warning: An exception occurred saving the ScriptState: {problem}")
        except OSError:
            _LOG.warning("The state of script %s could not be saved: %s", self.workspace.ticket, problem)
        return False

    def _set_state(self, state: int, exit_code: int) -> None:
        with self._changed:
            self._state, self._exit_code = state, exit_code
            self._changed.notify_all()


class _Receiver:
    """Puts lines into the log; when that fails, the script runs to its end unheard and the failure is told then."""

    def __init__(self, log: OutputLog) -> None:
        self._log = log
        self.failure: OSError | None = None

    def __call__(self, source: int, lines: Sequence[str]) -> None:
        if self.failure is None:
            try:
                self._log.append(source, lines)
            except OSError as error:
                self.failure = error


def account_name() -> str:
    """The account that the agent and its scripts run as; its number where it has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
