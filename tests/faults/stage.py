# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stage of a fault: a client, a router that can be a firewall, and hosts behind it, each a network of its own.

There is no way out: no default route, no other interface. Every host is linked to the router alone, so that whatever
one says to another passes the router's rules. Only for use inside `namespaces.Apart`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import Any

import namespaces
import resolver
from agent_process import AgentProcess, Identity
from faulty_servers import Handler, server

PORT = 10933
PATIENCE = 40.0  # a machine that does much else is slow

# Addresses for documentation (RFC 5737, RFC 3849).
ADDRESSES = {
    "client": ("192.0.2.10", "2001:db8:1::10"),
    "web01": ("198.51.100.11", "2001:db8:2::11"),
    "web02": ("198.51.100.12", "2001:db8:2::12"),
    "proxy": ("203.0.113.20", "2001:db8:3::20"),
}
ROUTER = ("192.0.2.1", "2001:db8:1::1")
_NETWORKS = (("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"), ("2001:db8::/32",))


@dataclasses.dataclass(frozen=True)
class Host:
    """One host: its name, addresses of both families, network and a directory of its own."""

    name: str
    ipv4: str
    ipv6: str
    network: namespaces.Network
    directory: pathlib.Path


@dataclasses.dataclass(frozen=True)
class Identities:
    """Certificates that all faults share, made once because each takes a while."""

    server: Identity  # whom agents trust
    stranger: Identity  # whom nobody trusts
    agent: Identity
    other: Identity  # of an agent that is another one


class Stage:
    """Networks made on demand, and programs that run in them until the stage ends."""

    def __init__(self, scratch: pathlib.Path, identities: Identities) -> None:
        self.scratch = scratch
        self.identities = identities
        self._hosts: dict[str, Host] = {}
        self._servers = contextlib.ExitStack()
        self.router = Host("router", *ROUTER, _network(), self._directory("router"))
        self._hosts["router"] = self.router
        with self.router.network:
            _set("ipv4/ip_forward", "1")
            _set("ipv6/conf/all/forwarding", "1")
            _ip("link set lo up")
        self.client = self["client"]
        empty("/dev/shm")  # shared memory has names, and programs of one kind use the same
        empty("/run")  # nobody in here finds the machine's own services
        self._own_names()

    def __getitem__(self, name: str) -> Host:
        if name not in self._hosts:
            self._hosts[name] = self._host(name)
        return self._hosts[name]

    # Programs

    def agent(self, name: str = "web01", **more: Any) -> AgentProcess:
        """A real agent on that host, listening."""
        process = self.agent_that_is_off(name, **more)
        with self[name].network:
            process.start()
        return process

    def agent_that_is_off(
        self,
        name: str = "web01",
        *,
        address: str | None = None,
        identity: Identity | None = None,
        trusted: Sequence[str] | None = None,
        **more: Any,
    ) -> AgentProcess:
        """The same, configured and not started; it trusts the server and has the usual identity unless told otherwise.

        Further keywords are keys of the configuration.
        """
        pem = (identity or self.identities.agent).path.read_bytes()
        pins = [self.identities.server.thumbprint] if trusted is None else trusted
        settings = {"port": PORT, **more}
        return AgentProcess(self[name].directory, pins, identity=pem, listen_address=address, **settings)

    def serve(self, handler: Handler, name: str = "web01", port: int = PORT) -> None:
        """A server of a few lines on that host."""
        with self[name].network:
            self._servers.enter_context(server(handler, "0.0.0.0", port))

    def run(self, name: str, *command: object, port: int) -> None:
        """Start a program on that host, and wait until something listens at `port`."""
        host = self[name]
        output = host.directory / "console.txt"
        with host.network, output.open("ab") as console:
            process = subprocess.Popen(
                [str(word) for word in command],
                cwd=host.directory,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
            )
            self._wait_for(port, process, output)

    def _wait_for(self, port: int, process: subprocess.Popen[bytes], output: pathlib.Path) -> None:
        limit = time.monotonic() + PATIENCE
        while not listens(port):
            if process.poll() is not None or time.monotonic() > limit:
                said = output.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise RuntimeError(f"{process.args!r} does not listen at {port}:\n{said}")
            time.sleep(0.02)

    def keep(self, *sockets: socket.socket) -> None:
        """Let sockets live as long as the stage."""
        for one in sockets:
            self._servers.enter_context(one)

    # The network

    def rules(self, text: str, name: str = "router") -> None:
        """Load nftables rules on a host."""
        with self[name].network:
            subprocess.run(["nft", "-f", "-"], input=text.encode(), check=True, capture_output=True)

    def forbid(self, verdict: str, extra: str = "") -> None:
        """The router treats connections to agents with a verdict, such as `drop`."""
        rule = f"tcp dport {PORT} {extra} {verdict}"
        self.rules(f"table inet fault {{ chain forward {{ type filter hook forward priority 0; {rule}; }}; }}")

    def relay(self, seconds: float, name: str = "web01") -> None:
        """The router puts a relay into connections to an agent, which holds back every piece for a while."""
        place = (self[name].ipv4, PORT)
        self.serve_at_router(slow_relay(self.router.network, place, seconds))

    def serve_at_router(self, handler: Handler) -> None:
        """The router answers the client's connections to agents itself."""
        with self.router.network:
            self._servers.enter_context(server(handler, "0.0.0.0", PORT))
        self.turn_aside(PORT, PORT)

    def turn_aside(self, port: int, to: int) -> None:
        """The router keeps what the client sends to a port for a program of its own."""
        rule = f"iifname client tcp dport {port} redirect to {to}"
        self.rules(f"table ip aside {{ chain c {{ type nat hook prerouting priority -100; {rule}; }}; }}")

    def names(self, records: resolver.Records) -> None:
        """Answer queries for names; any other name does not exist."""
        with self.router.network:
            self._servers.enter_context(resolver.responder(self.router.ipv4, records))

    # How it is built

    def _host(self, name: str) -> Host:
        host = Host(name, *ADDRESSES[name], _network(), self._directory(name))
        with self.router.network:
            lines = [f"link add {name} type veth peer name eth0 netns {host.network.path}", f"link set {name} up"]
            for ours, theirs in zip(ROUTER, ADDRESSES[name]):
                lines += [_address(ours, name), f"route add {theirs} dev {name}"]
            _ip(*lines)
        with host.network:
            lines = ["link set lo up", "link set eth0 up"]
            for ours, router, networks in zip(ADDRESSES[name], ROUTER, _NETWORKS):
                lines += [_address(ours, "eth0"), f"route add {router} dev eth0"]
                lines += [f"route add {network} via {router}" for network in networks]
            _ip(*lines)
        return host

    def _directory(self, name: str) -> pathlib.Path:
        directory = self.scratch / name
        directory.mkdir()
        return directory

    def _own_names(self) -> None:
        """Whoever looks a name up in here asks the router, and nobody else."""
        for path, text in {
            "/etc/resolv.conf": f"nameserver {self.router.ipv4}\noptions timeout:1 attempts:1\n",
            "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
            "/etc/nsswitch.conf": "hosts: files dns\n",
        }.items():
            place = pathlib.Path(os.path.realpath(path))
            if not place.exists():  # a link into /run
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()
            aside = self.scratch / pathlib.Path(path).name
            aside.write_text(text, encoding="ascii")
            namespaces.bind(aside, place)


def slow_relay(network: namespaces.Network, place: tuple[str, int], seconds: float) -> Handler:
    """Passes on whatever is said, later."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                time.sleep(seconds)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def handler(connection: socket.socket) -> None:
        with network, socket.create_connection(place, PATIENCE) as onward:
            back = threading.Thread(target=pump, args=(onward, connection), daemon=True)
            back.start()
            pump(connection, onward)
            back.join(PATIENCE)

    return handler


def _network() -> namespaces.Network:
    """A new network whose addresses can be used at once: nobody else could have them."""
    network = namespaces.Network()
    with network:
        _set("ipv6/conf/default/accept_dad", "0")
    return network


def _set(name: str, value: str) -> None:
    pathlib.Path("/proc/sys/net", name).write_text(value, encoding="ascii")


def empty(path: str) -> None:
    """Put an empty directory of our own into a place that others use as well."""
    namespaces.mount("private", path, "tmpfs")


def listens(port: int) -> bool:
    """Whether something listens at a port of this network, without a connection that it could notice."""
    for table in ("/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"):
        for line in pathlib.Path(table).read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                return True
    return False


def _address(address: str, device: str) -> str:
    return f"address add {address} dev {device}" + (" nodad" if ":" in address else "")


def _ip(*lines: str) -> None:
    done = subprocess.run(["ip", "-batch", "-"], input="\n".join(lines).encode(), capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip -batch: {done.stderr.decode()}\n" + "\n".join(lines))
