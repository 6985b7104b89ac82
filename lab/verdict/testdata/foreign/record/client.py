"""A client with a certificate, as the documentation of Python has it."""
import http.client
import os
import socket
import ssl

env = os.environ
if env.get("PLAIN"):
    connection = http.client.HTTPConnection("127.0.0.1", 443, timeout=3)
    connection.request("GET", "/")
    print("python:", connection.getresponse().status)
    raise SystemExit
context = ssl.create_default_context(cafile=env["CA"])  # logs keys to SSLKEYLOGFILE
version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[env["VERSIONS"]]
context.minimum_version = context.maximum_version = version
if env["CHAIN"]:
    context.load_cert_chain(env["CHAIN"], env["KEY"])
if "_WITH_" in env["SUITE"]:
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
try:
    with socket.create_connection(("127.0.0.1", 443), timeout=3) as tcp:
        with context.wrap_socket(tcp, server_hostname=env["NAME"]) as tls:
            tls.sendall(b"GET / HTTP/1.1\r\nHost: api.example.test\r\n\r\n")
            print("python:", tls.recv(4096))
except OSError as error:
    print("python:", repr(error))
