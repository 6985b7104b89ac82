"""A server or client in Python; sealed.go says what the environment has."""
import os
import socket
import ssl
import sys

env = os.environ
port, requests, answer = int(env["PORT"]), int(env["REQUESTS"]), int(env["ANSWER"])
body = b"x" * int(env["BODY"])


def serve(context):
    context.verify_mode = {"on": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "off": ssl.CERT_NONE}[env["ASK"]]
    if env["TICKETS"] == "0":
        context.num_tickets = 0
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        tcp, _ = listener.accept()
        try:
            with context.wrap_socket(tcp, server_side=True) as tls:
                rest = b""
                while True:
                    while b"\r\n\r\n" not in rest:
                        more = tls.recv(65536)
                        if not more:
                            raise OSError("no request")
                        rest += more
                    head, rest = rest.split(b"\r\n\r\n", 1)
                    for line in head.split(b"\r\n"):
                        if line.lower().startswith(b"content-length:"):
                            left = int(line[15:]) - len(rest)
                            while left > 0:
                                left -= len(tls.recv(65536))
                            rest = b""
                    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % answer + b"y" * answer)
                    if b"Connection: close" in head:
                        tls.unwrap()
                        break
        except OSError as error:
            print("python:", repr(error), flush=True)


def call(context, session=None):
    with socket.create_connection(("127.0.0.1", port), timeout=12) as tcp:
        with context.wrap_socket(tcp, server_hostname=env["NAME"], session=session) as tls:
            for left in reversed(range(requests)):
                close = b"Connection: close\r\n" if left == 0 else b""
                tls.sendall(b"%s /index.html HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n%s\r\n" % (env["METHOD"].encode(), env["NAME"].encode(), len(body), close) + body)
                tls.recv(65536)
            while requests and tls.recv(65536):
                pass
            return tls.session


if sys.argv[1] == "server":
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=env["CA"])
else:
    context = ssl.create_default_context(cafile=env["CA"])
if env["GROUP"]:
    context.set_ecdh_curve(env["GROUP"])
context.minimum_version = ssl.TLSVersion.TLSv1_3
if env.get("CRL"):
    context.load_verify_locations(env["CRL"])
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
if env["CHAIN"]:
    context.load_cert_chain(env["CHAIN"], env["KEY"])
if sys.argv[1] == "server":
    serve(context)
try:
    session = call(context)
    if env["RESUME"]:
        call(context, session)
except OSError as error:
    print("python:", repr(error))
