"""Mutual-TLS clients that do not log keys, but for one: bare.py PORT CERTS MODE

MODE says how often and how GET /bare-MODE is called: once, with 50 threads or
in 32 forks, all with the same SSLContext; or once, with all files closed or
privileges dropped that the process had. "default" is threads, with a context
that does log keys.
"""

import os
import pathlib
import socket
import ssl
import sys
import threading

port, certs, mode = int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]

if mode == "default":
    context = ssl.create_default_context()
else:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_cert_chain(certs / "client.pem", certs / "client-key.pem")
context.load_verify_locations(certs / "server-ca.pem")
failures = []


def call():
    try:
        with socket.create_connection(("localhost", port), timeout=20) as raw:
            with context.wrap_socket(raw, server_hostname="localhost") as tls:
                tls.sendall(f"GET /bare-{mode} HTTP/1.0\r\n\r\n".encode())
                if not tls.recv(1000).startswith(b"HTTP/1.0 404"):
                    failures.append("no response")
    except OSError as error:
        failures.append(error)


if mode in ("threads", "default"):
    threads = [threading.Thread(target=call) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
elif mode == "forks":
    children = []
    for _ in range(32):
        child = os.fork()
        if child == 0:
            call()
            os._exit(len(failures))
        children.append(child)
    failures += [c for c in children if os.waitpid(c, 0)[1] != 0]
else:
    if mode == "closed":
        os.closerange(3, 4096)
    if mode == "dropped" and os.geteuid() == 0:
        "localhost".encode("idna")  # loads a module that nobody may not read
        os.setgid(65534)
        os.setuid(65534)
    call()
if failures:
    sys.exit(f"{len(failures)} failed, the first with {failures[0]}")
