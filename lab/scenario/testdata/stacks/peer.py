"""One TLS connection, from either end: peer.py client|server HOST PORT VERSION TRUST CRLS [CERT KEY]

CRLS says how far the CRLs in TRUST are looked at: off, leaf or chain.
"""
import socket
import ssl
import sys

role, host, port, version, trust, crls, *pair = sys.argv[1:]
purpose = ssl.Purpose.SERVER_AUTH if role == "client" else ssl.Purpose.CLIENT_AUTH
context = ssl.create_default_context(purpose, cafile=trust)
if crls != "off":
    context.verify_flags |= ssl.VerifyFlags["VERIFY_CRL_CHECK_" + crls.upper()]
if pair:
    context.load_cert_chain(*pair)
if version == "1.1":
    context.set_ciphers("DEFAULT@SECLEVEL=0")
context.minimum_version = context.maximum_version = ssl.TLSVersion["TLSv" + version.replace(".", "_")]
if role == "client":
    with socket.create_connection(("127.0.0.1", int(port))) as tcp, context.wrap_socket(tcp, server_hostname=host) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        print(tls.recv(4096).decode())
else:
    context.verify_mode = ssl.CERT_REQUIRED  # create_default_context(CLIENT_AUTH) alone does not ask
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print("listening on", listener.getsockname()[1], flush=True)
        with listener.accept()[0] as tcp, context.wrap_socket(tcp, server_side=True) as tls:
            tls.recv(4096)
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
