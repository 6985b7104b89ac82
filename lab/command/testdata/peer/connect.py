# connect.py IPV4 IPV6 CLOSED UDP UNIX: makes connections without a proxy, in all ways that Python has, and prints what
# it sees of each. IPV6 may be "-".
import asyncio
import http.client
import os
import select
import socket
import ssl
import sys

insecure = ssl._create_unverified_context()


def address(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def get(where, path, timeout=None, source=None):
    host, port = address(where)
    c = http.client.HTTPSConnection(host, port, context=insecure, timeout=timeout, source_address=source)
    c.connect()
    print(path, c.sock.getpeername()[:2] == (host, port))
    c.request("GET", path)
    print(c.getresponse().status)
    c.close()


async def get_async(where, path):
    host, port = address(where)
    reader, writer = await asyncio.open_connection(host, port, ssl=insecure)
    print(path, writer.get_extra_info("peername")[:2] == (host, port))
    writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path.encode())
    print((await reader.readline()).split()[1])
    writer.close()


async def many(where):
    await asyncio.gather(*(get_async(where, "/many") for _ in range(32)))


four, six, closed, udp, unix = sys.argv[1:]
get(four, "/blocking")
get(four, "/timeout", timeout=20)
get(four, "/bound", source=("127.0.0.1", 0))
if six != "-":
    get(six, "/six")
    get("[::ffff:127.0.0.1]:" + four.rsplit(":", 1)[1], "/mapped")
asyncio.run(many(four))
for timeout in None, 20:
    try:
        socket.create_connection(address(closed), timeout)
    except OSError as e:
        print(type(e).__name__)
if six != "-":
    port = address(closed)[1]
    for host, only in ("::1", True), ("::1", False), ("::ffff:127.0.0.1", False):
        s = socket.socket(socket.AF_INET6)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        s.settimeout(20)
        print(host, s.connect_ex((host, port)), s.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
    s = socket.socket(socket.AF_INET6)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, True)
    print(s.connect_ex(("::ffff:127.0.0.1", address(four)[1])))
    s = socket.socket(socket.AF_INET6)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, True)
    print(s.connect_ex(address(six)), s.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
s = socket.create_connection(address(four))
print(s.connect_ex(address(four)), s.getpeername() == address(four))  # connected already
print(s.dup().getpeername() == address(four))
s = socket.socket()
s.setblocking(False)
print(s.connect_ex(address(closed)) in (111, 115))
s.close()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(address(udp))
s.send(b"udp")
print(s.recv(9))
s = socket.socket(socket.AF_UNIX)
s.connect(unix)
s.send(b"unix")
print(s.recv(9), s.getpeername() == unix)
if os.fork() == 0:
    get(four, "/fork")
    os._exit(0)
os.wait()
