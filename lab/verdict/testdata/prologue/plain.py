"""Servers that begin in plain text, for clients of openssl and curl. Usage: plain.py PROTOCOL PORT CERT KEY"""
import contextlib, socket, ssl, sys

protocol, port, cert, key = sys.argv[1:]
CRLF = b"\r\n"


class End(Exception):
    pass


class Peer:
    def __init__(self, sock):
        self.sock = sock

    def send(self, *lines):
        self.sock.sendall(b"".join(line + CRLF for line in lines))

    def line(self):
        got = b""
        while not got.endswith(b"\n"):
            c = self.sock.recv(1)
            if not c:
                raise End
            got += c
        return got.strip()

    def until(self, *words):
        got = b""
        while not any(w in got for w in words):
            c = self.sock.recv(1)
            if not c:
                raise End
            got += c
        return got

    def exact(self, n):
        got = b""
        while len(got) < n:
            c = self.sock.recv(n - len(got))
            if not c:
                raise End
            got += c
        return got

    def tls(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.sock = context.wrap_socket(self.sock, server_side=True)


def commands(p, greeting, answers, ask, ok, tagged=False):
    """Answers lines by the first word that fits, and begins TLS once asked."""
    p.send(*greeting)
    while True:
        line = p.line()
        tag, _, rest = line.partition(b" ") if tagged else (b"", b"", line)
        if rest.upper() == ask:
            p.send((tag + b" " if tagged else b"") + ok)
            if ok.split(b" ")[0] not in (b"NO", b"454", b"-ERR", b"500", b"580", b"534"):
                p.tls()
            continue
        for word, reply in answers.items():
            if rest.upper().startswith(word):
                p.send(*[r.replace(b"TAG", tag) for r in reply])
                break
        else:
            p.send(b"500 what?" if not tagged else tag + b" BAD what?")
        if rest.upper().startswith((b"QUIT", b"LOGOUT")):
            raise End


def smtp(p, ok=b"220 2.0.0 ready for TLS"):
    commands(p, [b"220 mail.example ESMTP"], {
        b"EHLO": [b"250-mail.example", b"250-STARTTLS", b"250 HELP"], b"QUIT": [b"221 bye"],
        b"AUTH": [b"530 5.7.0 Must issue a STARTTLS command first"],
        b"MAIL": [b"530 5.7.0 Must issue a STARTTLS command first"], b"VRFY": [b"252 perhaps"], b"HELP": [b"214 help"]}, b"STARTTLS", ok)


def ftp(p):
    commands(p, [b"220 files"], {
        b"USER": [b"331 password"], b"PASS": [b"230 in"], b"PBSZ": [b"200 ok"], b"PROT": [b"200 ok"], b"PWD": [b'257 "/"'],
        b"FEAT": [b"211-Features", b" AUTH TLS", b"211 End"], b"QUIT": [b"221 bye"]}, b"AUTH TLS", b"234 go ahead")


def nntp(p):
    commands(p, [b"200 news"], {b"CAPABILITIES": [b"101 list", b"VERSION 2", b"STARTTLS", b"."], b"QUIT": [b"205 bye"]}, b"STARTTLS", b"382 go ahead")


def pop3(p, ok):
    commands(p, [b"+OK ready"], {b"CAPA": [b"+OK", b"STLS", b"."], b"QUIT": [b"+OK bye"]}, b"STLS", ok)


def sieve(p, ok=b'OK "Begin TLS now."'):
    commands(p, [b'"IMPLEMENTATION" "plain.py"', b'"STARTTLS"', b'OK "ready"'], {b"LOGOUT": [b"OK"]}, b"STARTTLS", ok)


def imap(p):
    commands(p, [b"* OK IMAP4rev1 ready"], {b"CAPABILITY": [b"* CAPABILITY IMAP4rev1 STARTTLS", b"TAG OK done"],
                                            b"LOGIN": [b"TAG NO [PRIVACYREQUIRED] only with TLS"],
                                            b"LOGOUT": [b"* BYE", b"TAG OK done"]}, b"STARTTLS", b"OK begin TLS", tagged=True)


def irc(p):
    commands(p, [], {}, b"STARTTLS", b":irc.example 670 * :STARTTLS successful")


def xmpp(p):
    p.until(b"<stream:stream")
    p.until(b">")
    p.sock.sendall(b"<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' from='chat.example' version='1.0'>"
                   b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>")
    p.until(b"<starttls")
    p.until(b">")
    p.sock.sendall(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    p.tls()
    p.until(b"</stream")


def ldap(p, code=0):
    head = p.exact(2)
    p.exact(head[1])
    p.sock.sendall(bytes([0x30, 12, 2, 1, 1, 0x78, 7, 0x0A, 1, code, 4, 0, 4, 0]))
    if code:
        p.exact(1)
    p.tls()
    p.exact(1)


def mysql(p, capabilities=b"\xff\xff"):
    packet = (b"\x0a8.0.36\0" + b"\x07\0\0\0" + b"saltsalt\0" + capabilities + b"\x21" + b"\x02\0" + b"\xff\xdf" + b"\x15" + b"\0" * 10
              + b"saltsaltsalt\0" + b"caching_sha2_password\0")
    p.sock.sendall(bytes([len(packet), 0, 0, 0]) + packet)
    if not capabilities[1] & 8:
        p.exact(1)
    p.exact(36)
    p.tls()
    p.exact(1)


def upgrade(p):
    p.until(b"\r\n\r\n")
    p.send(b"HTTP/1.1 101 Switching Protocols", b"Upgrade: TLS/1.0, HTTP/1.1", b"Connection: Upgrade", b"")
    p.tls()
    p.send(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"ok"[:2])


def socks4(p, code=90):
    head = p.exact(8)
    p.until(b"\0")
    if head[4:7] == b"\0\0\0":
        p.until(b"\0")
    p.sock.sendall(bytes([0, code]) + head[2:])
    if code != 90:
        raise End
    p.tls()
    p.until(b"\r\n\r\n")
    p.send(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"ok"[:2])


servers = {
    "smtp": smtp, "smtp-refuses": lambda p: smtp(p, b"454 4.7.0 TLS not available"), "ftp": ftp, "nntp": nntp, "sieve": sieve, "imap": imap,
    "irc": irc, "xmpp": xmpp, "ldap": ldap, "ldap-refuses": lambda p: ldap(p, 52), "mysql": mysql, "mysql-without-tls": lambda p: mysql(p, b"\xff\xf7"),
    "pop3-refuses": lambda p: pop3(p, b"-ERR no TLS"), "sieve-refuses": lambda p: sieve(p, b'NO "no TLS"'), "silent": lambda p: p.exact(10000),
    "upgrade": upgrade,
    "socks4": socks4, "socks4-refuses": lambda p: socks4(p, 91)}

listener = socket.create_server(("127.0.0.1", int(port)))
print("listening", flush=True)
while True:
    conn, _ = listener.accept()
    conn.settimeout(10)
    peer = Peer(conn)
    try:
        servers[protocol](peer)
    except End:
        if isinstance(peer.sock, ssl.SSLSocket):
            with contextlib.suppress(OSError):
                peer.sock = peer.sock.unwrap()  # close_notify
    except OSError:  # ssl.SSLError is one
        pass
    peer.sock.close()
