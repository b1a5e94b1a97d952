"""A web server for one directory that goes on in the background.

usage: serve.py DIRECTORY ADDRESS PORT PID-FILE

Ends when it listens; what goes on has left the caller's terminal and pipes, and its process id stands in PID-FILE.
"""

import functools
import http.server
import os
import signal
import socketserver
import sys


class Server(socketserver.ThreadingTCPServer):
    """Plain TCP: the HTTP server of the library would ask the name service who it is, which may take long."""

    allow_reuse_address = True
    daemon_threads = True


def main() -> None:
    directory, address, port, pid_file = sys.argv[1:5]
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=directory)
    server = Server((address, int(port)), handler)
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    with open(pid_file + ".new", "w", encoding="ascii") as file:
        file.write(f"{os.getpid()}\n")
    os.replace(pid_file + ".new", pid_file)
    signal.signal(signal.SIGTERM, lambda *_unused: os._exit(0))
    server.serve_forever()


if __name__ == "__main__":
    main()
