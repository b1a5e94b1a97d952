# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The running agent: builds everything from its configuration, keeps it up to date, and takes it down in order.

While it runs, the configuration file and the identity are looked at every second, and read again when they have changed
or on SIGHUP: trust, certificate, TLS policy, page, idle limit and log level count at once, for new connections or the
next call. What cannot change in a running process (port, address, directories) is named in the log instead.

Stopping happens in three steps, all within the time that the configuration grants: running scripts go on while calls
are still answered, but none is started; then all calls are refused with the original's sentence; then connections are
ended, each after the call that it is in.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import TYPE_CHECKING

from module_utils._halibut import thumbprint
from module_utils._instance import configuration as configurations
from module_utils._instance.configuration import Configuration
from module_utils._instance.errors import InstanceError

from . import log, page, supervision, tls
from .audit import Audit
from .dispatch import Dispatcher, Service
from .listener import Listener
from .services.capabilities import CapabilitiesService
from .session import Shared
from .tls_errors import TlsError
from .trust import Trust

if TYPE_CHECKING:
    from .services.assembly import Assembly

LOG = logging.getLogger("tentacle_agent.runtime")

LOOK_SECONDS = 1.0
SETTLE_SECONDS = 0.02
"""For the first caller, who shall not wait for what takes longer; a thread that comes before it takes memory from a
pool of its own."""
HEARTBEAT_SECONDS = 10.0
HEARTBEAT_NAME = "livez.heartbeat"
STOP_SECONDS = 5.0
"""The least that running calls are given to end, however short the time for scripts is."""
DESCRIPTORS = 16384
COLLECT_AFTER = 10_000
"""Objects that are made and not given up before somebody looks for circles among them. A connection leaves none, and to
look every 700, as Python does by itself, was a hundredth of what it costs."""
M_ARENA_MAX = -8  # of glibc's malloc.h


class Runtime:
    """One agent process for the configuration file `path`. `run` returns when it was told to stop."""

    def __init__(self, path: str, instance: str | None = None, console: bool = True) -> None:
        self._path = path
        self._instance = instance
        self._console = console
        self._wake = threading.Event()
        self._stops = 0
        self._reload = False
        self._heartbeat_due = 0.0
        self._looked = time.monotonic()
        self._status = ""

    def run(self) -> int:
        """Serve until SIGINT or SIGTERM. Raises `InstanceError` when it cannot begin."""
        self._configuration = configurations.load(self._path, unknown="keep")
        self._configure_log()
        with self._signals():
            try:
                self._begin()
                self._settle()
            except InstanceError as error:
                LOG.critical("%s", error)  # who starts it sees it anyway; who looks for the reason later finds it here
                raise
            supervision.notify("READY=1")
            watchdog = self._watch_over()
            while not self._stops:
                self._look()
                self._wake.wait(LOOK_SECONDS)
                self._wake.clear()
            supervision.notify("STOPPING=1")
            if watchdog is not None:
                watchdog.stop()
            with contextlib.suppress(Hurry):
                self._end()
        return 0

    # Beginning ---------------------------------------------------------------------------------------------------

    def _configure_log(self) -> None:
        try:
            log.configure(self._configuration.home_directory, self._configuration.log_level, self._console)
        except OSError as error:
            raise InstanceError(
                f"The log below {self._configuration.home_directory} could not be opened: {error.strerror}. "
                f"Check that the directory may be written by this account."
            ) from error

    def _begin(self) -> None:
        configuration = self._configuration
        LOG.info("Starting agent in process %s, configuration %s", os.getpid(), self._path)
        for key in sorted(configuration.unknown):
            LOG.warning("The configuration has the key %r, which this version does not know; it is kept", key)
        raise_descriptor_limit()
        context = self._load_identity()

        def build_rest() -> Mapping[str, Service]:
            from .services.assembly import Assembly

            self._assembly: Assembly = Assembly(configuration, context.signature_algorithm(), os.environ)
            return self._assembly.by_name()

        self._dispatcher = Dispatcher({CapabilitiesService.NAME: CapabilitiesService()}, build_rest)
        audit = Audit(configuration.home_directory)
        self._shared = Shared(Trust(configuration.trusted_pins()), self._dispatcher, audit)
        self._apply(configuration)
        self._listener = Listener(context, self._shared)
        self._seen = self._stamps()
        self._say_trust()
        gc.set_threshold(COLLECT_AFTER, 10, 10)
        self._listen()

    def _settle(self) -> None:
        """Do what the first caller hardly ever waits for, after they had a moment; scripts and files are served then.

        Raises `InstanceError`.
        """
        self._wake.wait(SETTLE_SECONDS)
        share_one_arena()
        self._listener.context.spare_work()
        self._dispatcher.complete()
        gc.freeze()  # what is there now stays: collections need not look at it
        gc.enable()
        self._listener.settle()

    def _load_identity(self) -> tls.ServerContext:
        path = self._configuration.certificate_path
        if not os.path.exists(path):
            from module_utils._instance import identity  # brings the library for keys, which is needed only here

            identity.save(path, identity.create())
            LOG.info("There was no certificate; a new one has been generated in %s", path)
        try:
            context = tls.ServerContext(path, self._configuration.minimum_tls_version)
        except OSError as error:
            raise InstanceError(
                f"The identity {path} could not be read: {error.strerror}. It has to be readable by the account that "
                f"runs the agent."
            ) from error
        except TlsError as error:
            raise InstanceError(str(error)) from error
        shown = thumbprint.of_der(context.certificate)
        LOG.info("The agent's certificate has the thumbprint %s (SHA-256 %s)", shown.sha1, shown.sha256)
        return context

    def _apply(self, configuration: Configuration) -> None:
        """Take over what may change while we run."""
        self._shared.page = page.render() if configuration.show_page else None
        self._shared.idle_seconds = configuration.idle_seconds
        log.set_level(configuration.log_level)

    def _say_trust(self) -> None:
        pins = self._shared.trust.pins
        if not pins:
            LOG.info("The agent is not configured to trust any Octopus Servers.")
        for pin in sorted(pins):
            LOG.info("Agent will trust Octopus Servers with the thumbprint: %s", pin)

    def _listen(self) -> None:
        configuration = self._configuration
        if configuration.no_listen:
            LOG.info("Agent will not listen on any TCP ports")
            return
        try:
            place = self._listener.open(configuration.listen_address, configuration.port)
        except OSError as error:
            raise InstanceError(
                f"Could not listen on port {configuration.port} of {configuration.listen_address or 'any address'}: "
                f"{error.strerror}. Usual cause: another agent or program has the port (ss -ltnp shows which), or the "
                f"address is none of this host's. Stop that program, or configure another port."
            ) from error
        self._listener.start()
        LOG.info("listen://%s/  Listener started", place)
        LOG.info("Agent listening on: %s", place)

    # Running -----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """What has to be done every second."""
        stamps = self._stamps()
        if self._reload or stamps != self._seen:
            self._reload, self._seen = False, stamps
            with supervision.reloading():
                self._read_again()
        self._shared.audit.flush()
        log.flush()
        self._tell_status()
        self._looked = now = time.monotonic()
        self._shared.pace.look(now)
        self._assembly.cleaner.look(now)
        if now >= self._heartbeat_due:
            self._heartbeat_due = now + HEARTBEAT_SECONDS
            touch(os.path.join(self._configuration.home_directory, HEARTBEAT_NAME))

    def _watch_over(self) -> supervision.Watchdog | None:
        """A watchdog that is fed, where the service manager has one."""
        seconds = supervision.watchdog_seconds(os.environ)
        if seconds is None:
            return None
        watchdog = supervision.Watchdog(
            seconds, self._listener.address, lambda limit: time.monotonic() - self._looked < limit + LOOK_SECONDS
        )
        watchdog.start()
        return watchdog

    def _tell_status(self) -> None:
        if "NOTIFY_SOCKET" not in os.environ:
            return
        running = len(self._assembly.scripts.running())
        address = self._listener.address
        place = f"Listening on port {address[1]}" if address else "Not listening"
        status = f"STATUS={place}; {running or 'no'} script{'' if running == 1 else 's'} running"
        if status != self._status:
            self._status = status
            supervision.notify(status)

    def _stamps(self) -> tuple[object, ...]:
        return stamp(self._path), stamp(self._configuration.certificate_path)

    def _read_again(self) -> None:
        before = self._configuration
        try:
            after = configurations.load(self._path, unknown="keep")
        except InstanceError as error:
            LOG.error("The changed configuration is not used, the previous one stays in force: %s", error)
            return
        self._configuration = after
        self._read_identity_again()
        self._apply(after)
        LOG.info("The configuration was read again")
        if after.trusted_pins() != before.trusted_pins():
            lost = self._shared.trust.replace(after.trusted_pins())
            self._say_trust()
            if lost:
                LOG.warning("%s connection(s) of clients that are no longer trusted were cut", lost)
        fixed = configurations.restart_keys(before, after)
        if fixed:
            LOG.warning("Restart the agent to use the changed configuration of %s", ", ".join(fixed))

    def _read_identity_again(self) -> None:
        try:
            wanted = self._configuration
            context = tls.ServerContext(wanted.certificate_path, wanted.minimum_tls_version)
        except (OSError, TlsError) as error:
            LOG.error("The changed identity is not used, the previous one stays in force: %s", error)
            return
        context.spare_work()
        if context.certificate != self._listener.context.certificate:
            LOG.info("New connections are shown the certificate %s", thumbprint.of_der(context.certificate).sha1)
        if context.minimum_version != self._listener.context.minimum_version:
            LOG.info("New connections need TLS %s at least", context.minimum_version)
        self._listener.context = context

    # Ending ------------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        seconds = self._configuration.drain_seconds
        deadline = time.monotonic() + seconds
        LOG.info("The agent stops: running scripts and calls have %s s", seconds)
        supervision.notify(f"STATUS=Stopping; running scripts have {seconds} s")
        self._dispatcher.drain()
        with contextlib.suppress(Hurry):
            self._assembly.scripts.stop(seconds)
        self._dispatcher.stop()
        with contextlib.suppress(Hurry):
            self._listener.stop(STOP_SECONDS if self._stops > 1 else max(deadline - time.monotonic(), STOP_SECONDS))
        self._shared.audit.close()
        LOG.info("The agent has stopped")

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Listen to signals as long as we run; without them where we are not in the main thread (tests)."""
        wanted = {signal.SIGTERM: self._on_stop, signal.SIGINT: self._on_stop, signal.SIGHUP: self._on_reload}
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                # Whoever was told to stop ends in order, even when told again on the last metres.
                signal.signal(number, signal.SIG_IGN if self._stops else handler)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self._stops += 1
        self._wake.set()
        if self._stops > 1:
            raise Hurry

    def _on_reload(self, number: int, frame: FrameType | None) -> None:
        self._reload = True
        self._wake.set()

    def stop(self) -> None:
        """Like SIGTERM, from another thread."""
        self._stops += 1
        self._wake.set()


class Hurry(Exception):
    """Asked to stop a second time: whatever is being waited for is given up."""


def stamp(path: str) -> tuple[int, int, int] | None:
    """What changes when a file is replaced or written."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def touch(path: str) -> None:
    """Set a file's time to now; a sign of life, so failures do not matter."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
        os.utime(path)
    except OSError:
        pass


def share_one_arena() -> None:
    """Let all threads take memory from one pool of the C library, where that is glibc.

    By default threads get pools of their own, eight for each core. Connections come and go in many threads, so each
    pool grows to what once was needed in it: under mixed load the process crept from 40 to 52 MiB and stayed there.
    """
    try:
        import ctypes

        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
    except (ImportError, OSError, AttributeError):
        pass


def raise_descriptor_limit() -> None:
    """Allow this process as many open files as it may have, within reason: the usual 1,024 are few for a listener."""
    try:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ImportError, OSError, ValueError):
        pass
