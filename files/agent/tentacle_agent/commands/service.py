# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``service``: install, start and stop the agent as a service (docs/protocol/tentacle-services.md §5.8)."""

from __future__ import annotations

import json
from collections.abc import Callable

from module_utils._instance import configuration, records
from module_utils._instance.errors import InstanceError

from ..arguments import FORMAT_OPTION, UsageError, Values, option
from ..service_manager import MANAGERS, choose, program
from ..service_manager.base import Service, ServiceManager
from . import Context

NAME = "service"
ALIASES: tuple[str, ...] = ()
SUMMARY = "Start, stop, install and configure the Tentacle service"
_USER_VARIABLE = "OCTOPUS_SERVICE_USERNAME"
OPTIONS = (
    option("start", "Start the service if it is not already running"),
    option("stop", "Stop the service if it is running"),
    option("restart", "Restart the service if it is running"),
    option("reconfigure", "Reconfigure the service"),
    option("install", "Install the service"),
    option(
        "username=|user=",
        "Username to run the service under. Only used when --install or --reconfigure are used. Can also be passed via "
        f"an environment variable {_USER_VARIABLE}. Defaults to 'tentacle'; systemd only.",
    ),
    option("uninstall", "Uninstall the service"),
    option("status", "Tell whether the service is installed and runs; the exit code is 0 only when it runs"),
    option("password=", "Windows only", hidden=True, sensitive=True),
    option("dependOn=", "Another unit that has to be started first; systemd only"),
    option("scripts-may-sudo", "Leave the sandbox open so far that scripts can use sudo; systemd only"),
    option("manager=", f"Who keeps the agent running ({','.join(MANAGERS)}). Defaults to auto."),
    option("instance=", "Name of the instance to use, or * to use all instances"),
    option("config=", "Configuration file to use"),
    FORMAT_OPTION,
)
_VERBS = ("restart", "stop", "uninstall", "reconfigure", "install", "start", "status")
_FOR_ALL = ("start", "stop", "restart")


def execute(options: Values, context: Context) -> int:
    """Do what is asked for, in the original's order: restart, stop, uninstall, install, start."""
    verbs = [verb for verb in _VERBS if options.has(verb)]
    if not verbs:
        raise UsageError(f"Say what to do with the service: {', '.join('--' + verb for verb in _VERBS)}.")
    options.format()
    if options.get("instance") != "*":
        record = context.select(options)
        return _serve(record.path, record.name, verbs, options, context)
    if not set(verbs) <= set(_FOR_ALL):
        raise UsageError("--instance=* can only be used for --start, --stop, and --restart flags")
    failed = 0
    for record in records.list_records(context.environment):
        try:
            _serve(record.path, record.name, verbs, options, context)
        except InstanceError as error:
            context.error(f"{record.name}: {error}")
            failed = 1
    return failed


def _serve(path: str, name: str, verbs: list[str], options: Values, context: Context) -> int:
    service = _service(path, name, options, context)
    manager = choose((options.get("manager") or "auto").lower(), service, context.info)
    for verb in verbs:
        if verb == "status":
            return _tell_status(manager, service, options.format(), context)
        _ACTIONS[verb](manager, service, context)
    return 0


def _service(path: str, name: str, options: Values, context: Context) -> Service:
    wanted = configuration.load(path, unknown="keep")
    return Service(
        instance=name or wanted.instance,
        configuration_path=path,
        home_directory=wanted.home_directory,
        application_directory=wanted.application_directory,
        certificate_path=wanted.certificate_path,
        command=program.command(),
        drain_seconds=wanted.drain_seconds,
        user=options.get("username") or context.environment.get(_USER_VARIABLE) or None,
        depends_on=options.get("dependOn"),
        scripts_may_sudo=options.has("scripts-may-sudo"),
    )


def _restart(manager: ServiceManager, service: Service, context: Context) -> None:
    context.info(f"Restarting service: {service.name}")
    manager.restart(service)
    context.info("Service has been restarted")


def _stop(manager: ServiceManager, service: Service, context: Context) -> None:
    context.info(f"Stopping service: {service.name}")
    context.info("Service stopped" if manager.stop(service) else "Service stopped (it was not running)")


def _uninstall(manager: ServiceManager, service: Service, context: Context) -> None:
    context.info(f"Removing {manager.name} service: {service.name}")
    manager.uninstall(service)
    context.info("Service uninstalled")


def _install(manager: ServiceManager, service: Service, context: Context) -> None:
    manager.install(service)
    context.info(f"Service installed: {service.name}")


def _reconfigure(manager: ServiceManager, service: Service, context: Context) -> None:
    context.info(f"Attempting to remove old service: {service.name}")
    manager.uninstall(service)
    _install(manager, service, context)


def _start(manager: ServiceManager, service: Service, context: Context) -> None:
    started = manager.start(service)
    pid = manager.status(service).pid
    context.info(f"Service started: {service.name}" + ("" if started else f" (already running, pid {pid})"))


_ACTIONS: dict[str, Callable[[ServiceManager, Service, Context], None]] = {
    "restart": _restart,
    "stop": _stop,
    "uninstall": _uninstall,
    "install": _install,
    "reconfigure": _reconfigure,
    "start": _start,
}


def _tell_status(manager: ServiceManager, service: Service, output_format: str, context: Context) -> int:
    status = manager.status(service)
    if output_format == "json":
        document = {
            "Name": service.name,
            "Manager": manager.name,
            "Installed": status.installed,
            "Running": status.running,
            "Pid": status.pid,
            "SurvivesReboot": status.survives_reboot,
        }
        context.write(json.dumps(document, indent=2))
    elif status.running:
        reboot = "survives a reboot" if status.survives_reboot else "does not survive a reboot"
        context.info(f"Service {service.name}: running (pid {status.pid}, {manager.name}, {reboot})")
    else:
        state = "stopped" if status.installed else "not installed"
        context.info(f"Service {service.name}: {state} ({manager.name})")
    return 0 if status.running else 1
