"""Records connections that begin in plain text, between programs that are not ours, into this folder.

Needs root for a network of its own, and from Debian: nginx with libnginx-mod-mail and libnginx-mod-stream, postgresql,
tinyproxy-bin, microsocks, mariadb-server-core with mariadb-client-core, openssl, gnutls-bin, nodejs, curl, tshark.

    unshare -n sh -c 'ip link set lo up; python3 record.py [NAME...]'
"""
import os, pathlib, re, signal, socket, ssl, struct, subprocess, sys, tempfile, threading, time

here = pathlib.Path(__file__).parent.resolve()
tmp = pathlib.Path(tempfile.mkdtemp())
os.chmod(tmp, 0o755)
running = []


def run(command, **how):
    return subprocess.run(command, shell=isinstance(command, str), cwd=tmp, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20, **how)


def start(command, **how):
    p = subprocess.Popen(command, shell=isinstance(command, str), cwd=tmp, stdout=how.pop("stdout", subprocess.DEVNULL),
                         stderr=subprocess.DEVNULL, start_new_session=True, **how)
    running.append(p)
    return p


def listening(port):
    want = ":%04X" % port
    for _ in range(500):
        with open("/proc/net/tcp") as table:
            if any(f[1].endswith(want) and f[3] == "0A" for f in map(str.split, table.readlines()[1:])):
                return
        time.sleep(0.02)
    raise SystemExit("nobody listens on %d" % port)


def plain(protocol, port):
    start([sys.executable, str(here / "plain.py"), protocol, str(port), "cert.pem", "key.pem"])
    listening(port)


def pki():
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem")
    run("chmod 644 key.pem")


def nginx():
    (tmp / "nginx.conf").write_text("""
load_module /usr/lib/nginx/modules/ngx_mail_module.so;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; master_process off; pid nginx.pid; error_log error.log;
events {}
mail {
  auth_http 127.0.0.1:7999/; server_name mail.example; ssl_certificate TMP/cert.pem; ssl_certificate_key TMP/key.pem;
  server { listen 127.0.0.1:2025; protocol smtp; starttls on; }
  server { listen 127.0.0.1:2143; protocol imap; starttls on; }
  server { listen 127.0.0.1:2110; protocol pop3; starttls on; }
  server { listen 127.0.0.1:2125; protocol smtp; }
  server { listen 127.0.0.1:2243; protocol imap; }
  server { listen 127.0.0.1:2210; protocol pop3; }
  server { listen 127.0.0.1:2026 proxy_protocol; protocol smtp; starttls on; }
}
stream {
  server { listen 127.0.0.1:4001; proxy_protocol on; proxy_pass 127.0.0.1:4101; }
  server { listen 127.0.0.1:4002; proxy_protocol on; proxy_pass 127.0.0.1:4102; }
  server { listen 127.0.0.1:4003; proxy_protocol on; proxy_pass 127.0.0.1:4103; }
  server { listen 127.0.0.1:4004; proxy_protocol on; proxy_pass 127.0.0.1:4104; }
  server { listen 127.0.0.1:4005; proxy_protocol on; proxy_pass 127.0.0.1:4105; }
  server { listen 127.0.0.1:4006; proxy_protocol on; proxy_pass 127.0.0.1:2026; }
}
http {
  access_log off; ssl_certificate TMP/cert.pem; ssl_certificate_key TMP/key.pem;
  server { listen 127.0.0.1:4101 ssl proxy_protocol; return 200 "ok"; }
  server { listen 127.0.0.1:4102 ssl; return 200 "ok"; }
  server { listen 127.0.0.1:4200; return 200 "plain"; }
}
""".replace("TMP", str(tmp)))
    start("exec nginx -p %s/ -c %s/nginx.conf" % (tmp, tmp))
    listening(4102)
    listening(2025)


def others():
    start("exec openssl s_server -accept 127.0.0.1:4103 -cert cert.pem -key key.pem -www")
    start("exec gnutls-serv --http -p 4104 --x509certfile cert.pem --x509keyfile key.pem")
    start(["node", "-e", "require('https').createServer({key:require('fs').readFileSync('key.pem'),cert:require('fs').readFileSync('cert.pem')},"
                         "(q,r)=>r.end('ok')).listen(4105,'127.0.0.1')"])
    for port in 4103, 4104, 4105:
        listening(port)


def postgres(name, port, ssl_on):
    data = tmp / name
    user = dict(user="nobody", group="nogroup", env={**os.environ, "LC_ALL": "C", "HOME": str(tmp)})
    data.mkdir()
    os.chown(data, 65534, 65534)
    initdb = next(p for p in ["/usr/local/bin/initdb", *map(str, pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))] if os.path.exists(p))
    run([initdb, "-D", str(data), "-A", "trust", "-U", "u"], **user)
    if ssl_on:
        for f, to in ("cert.pem", "server.crt"), ("key.pem", "server.key"):
            (data / to).write_bytes((tmp / f).read_bytes())
            os.chown(data / to, 65534, 65534)
            os.chmod(data / to, 0o600)
    start([initdb.replace("initdb", "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(data),
           "-c", "ssl=" + ("on" if ssl_on else "off")], **user)
    listening(port)


def mariadb():
    data = tmp / "maria"
    data.mkdir()
    os.chmod(data, 0o777)
    install = "mariadb-install-db" if run("command -v mariadb-install-db").returncode == 0 else "mysql_install_db"
    run("%s --no-defaults --datadir=%s --user=nobody --auth-root-authentication-method=normal" % (install, data))
    for name, port, flags in ("a", 3306, "--ssl-cert=%s/cert.pem --ssl-key=%s/key.pem" % (tmp, tmp)),:
        start("exec mariadbd --no-defaults --datadir=%s --user=root --port=%d --bind-address=127.0.0.1 --socket=%s/my.sock %s"
              % (data, port, tmp, flags))
        listening(port)


def proxies():
    for name, port, more in ("open", 8888, ""), ("closed", 8889, "ConnectPort 1\n"), ("named", 8890, "BasicAuth user secretword\n"):
        (tmp / (name + ".conf")).write_text("Port %d\nListen 127.0.0.1\nMaxClients 10\nTimeout 10\nConnectPort 4102\nConnectPort 2025\nConnectPort 9\n%s"
                                            % (port, more) if name != "closed" else "Port %d\nListen 127.0.0.1\nMaxClients 10\n%s" % (port, more))
        start("exec tinyproxy -d -c %s.conf" % name)
        listening(port)
    start("exec microsocks -i 127.0.0.1 -p 1080")
    start("exec microsocks -i 127.0.0.1 -p 1081 -u user -P secretword")
    listening(1080)
    listening(1081)


def header_v2(port, split):
    """A header of version 2, and TLS in the same segment or not."""
    s = socket.create_connection(("127.0.0.1", port))
    header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H4s4sHH", 12, bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]), 4711, 443)
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    t = context.wrap_bio(into, out)
    try:
        t.do_handshake()
    except ssl.SSLWantReadError:
        pass
    first = header + out.read()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for part in (first[:split], first[split:]) if split else (first,):
        s.sendall(part)
        time.sleep(0.05)
    s.settimeout(5)
    try:
        while True:
            got = s.recv(65536)
            if not got:
                break
            into.write(got)
            try:
                t.do_handshake()
                s.sendall(out.read())
                break
            except ssl.SSLWantReadError:
                s.sendall(out.read())
    except (OSError, ssl.SSLError):
        pass
    s.close()


curl = "SSLKEYLOGFILE=keys curl -sk -m 5 "
s_client = "echo QUIT | timeout 5 openssl s_client -keylogfile keys "
scenarios = {  # name: port that is recorded, what the client does
    "smtp.nginx-openssl": (2025, s_client + "-starttls smtp -connect 127.0.0.1:2025"),
    "smtp.nginx-curl": (2025, curl + "--ssl-reqd smtp://127.0.0.1:2025 -X HELP"),
    "imap.nginx-openssl": (2143, s_client + "-starttls imap -connect 127.0.0.1:2143"),
    "imap.nginx-curl": (2143, curl + "--ssl-reqd imap://127.0.0.1:2143 -X NOOP"),
    "pop3.nginx-openssl": (2110, s_client + "-starttls pop3 -connect 127.0.0.1:2110"),
    "pop3.nginx-curl": (2110, curl + "--ssl-reqd pop3://127.0.0.1:2110 -X NOOP"),
    "smtp-refused.nginx-openssl": (2125, s_client + "-starttls smtp -connect 127.0.0.1:2125"),
    "smtp-refused.python-openssl": (2325, s_client + "-starttls smtp -connect 127.0.0.1:2325"),
    "imap-refused.nginx-openssl": (2243, s_client + "-starttls imap -connect 127.0.0.1:2243"),
    "pop3-refused.nginx-openssl": (2210, s_client + "-starttls pop3 -connect 127.0.0.1:2210"),
    "pop3-refused.python-curl": (2410, curl + "--ssl-reqd pop3://127.0.0.1:2410 -X NOOP"),
    "sieve-refused.python-openssl": (2490, s_client + "-starttls sieve -connect 127.0.0.1:2490"),
    "mysql-without-tls.python-openssl": (2406, s_client + "-starttls mysql -connect 127.0.0.1:2406"),
    "connect-unanswered.python-curl": (2480, curl + "-m 1 -x http://127.0.0.1:2480 https://127.0.0.1:4102/"),
    "smtp-demanded.python-curl": (2425, curl + "smtp://127.0.0.1:2425 --mail-from a@b.example --mail-rcpt c@d.example -T /dev/null"),
    "imap-demanded.python-curl": (2443, curl + "imap://127.0.0.1:2443/ -u user:secretword"),
    "smtp-tls-at-once.nginx-openssl": (2025, s_client + "-connect 127.0.0.1:2025"),
    "pop3-tls-at-once.nginx-curl": (2110, curl + "pop3s://127.0.0.1:2110"),
    "mysql-tls-at-once.mariadb-openssl": (3306, s_client + "-connect 127.0.0.1:3306"),
    "smtp-to-tls.nginx-openssl": (4102, s_client + "-starttls smtp -connect 127.0.0.1:4102"),
    "ftp.python-curl": (2021, curl + "--ssl-reqd ftp://127.0.0.1:2021/ -u user:secretword -l"),
    "ftp.python-openssl": (2021, s_client + "-starttls ftp -connect 127.0.0.1:2021"),
    "nntp.python-openssl": (2119, s_client + "-starttls nntp -connect 127.0.0.1:2119"),
    "sieve.python-openssl": (2190, s_client + "-starttls sieve -connect 127.0.0.1:2190"),
    "irc.python-openssl": (6667, s_client + "-starttls irc -connect 127.0.0.1:6667"),
    "xmpp.python-openssl": (5222, s_client + "-starttls xmpp -xmpphost chat.example -connect 127.0.0.1:5222"),
    "ldap.python-openssl": (2389, s_client + "-starttls ldap -connect 127.0.0.1:2389"),
    "ldap.python-curl": (2389, curl + "--ssl-reqd ldap://127.0.0.1:2389/dc=example"),
    "ldap-refused.python-curl": (2390, curl + "--ssl-reqd ldap://127.0.0.1:2390/dc=example"),
    "mysql.python-openssl": (2306, s_client + "-starttls mysql -connect 127.0.0.1:2306"),
    "mysql.mariadb-mariadb": (3306, "mariadb --no-defaults -h 127.0.0.1 -P 3306 -u root --ssl -e 'select 1'"),
    "mysql-plain.mariadb-mariadb": (3306, "mariadb --no-defaults -h 127.0.0.1 -P 3306 -u root --skip-ssl -e 'select 1'"),
    "postgresql.postgres-openssl": (5432, s_client + "-starttls postgres -connect 127.0.0.1:5432"),
    "postgresql-refused.postgres-openssl": (5433, s_client + "-starttls postgres -connect 127.0.0.1:5433"),
    "upgrade.python-python": (2080, lambda: upgrade(2080)),
    "connect.tinyproxy-curl": (8888, curl + "-x http://127.0.0.1:8888 https://127.0.0.1:4102/"),
    "connect-407.tinyproxy-curl": (8890, curl + "-x http://127.0.0.1:8890 https://127.0.0.1:4102/"),
    "connect-password.tinyproxy-curl": (8890, curl + "-x http://user:secretword@127.0.0.1:8890 https://127.0.0.1:4102/"),
    "connect-403.tinyproxy-curl": (8889, curl + "-x http://127.0.0.1:8889 https://127.0.0.1:4102/"),
    "connect-502.tinyproxy-curl": (8888, curl + "-x http://127.0.0.1:8888 https://127.0.0.1:9/"),
    "connect-smtp.tinyproxy-curl": (8888, curl + "-p -x http://127.0.0.1:8888 --ssl-reqd smtp://127.0.0.1:2025 -X HELP"),
    "socks5.microsocks-curl": (1080, curl + "-x socks5://127.0.0.1:1080 https://127.0.0.1:4102/"),
    "socks5-name.microsocks-curl": (1080, curl + "-x socks5h://127.0.0.1:1080 https://localhost:4102/"),
    "socks5-password.microsocks-curl": (1081, curl + "-x socks5://user:secretword@127.0.0.1:1081 https://127.0.0.1:4102/"),
    "socks5-wrong-password.microsocks-curl": (1081, curl + "-x socks5://user:wrongsecret@127.0.0.1:1081 https://127.0.0.1:4102/"),
    "socks5-no-password.microsocks-curl": (1081, curl + "-x socks5://127.0.0.1:1081 https://127.0.0.1:4102/"),
    "socks5-refused.microsocks-curl": (1080, curl + "-x socks5://127.0.0.1:1080 https://127.0.0.1:9/"),
    "socks5-proxy-v1.microsocks-curl": (1080, curl + "-x socks5://127.0.0.1:1080 --haproxy-protocol https://127.0.0.1:4101/"),
    "socks4.python-curl": (2084, curl + "-x socks4://127.0.0.1:2084 https://127.0.0.1:4102/"),
    "socks4a.python-curl": (2084, curl + "-x socks4a://127.0.0.1:2084 https://localhost:4102/"),
    "socks4-refused.python-curl": (2085, curl + "-x socks4://127.0.0.1:2085 https://127.0.0.1:4102/"),
    "proxy-v1.nginx-nginx": (4101, curl + "https://127.0.0.1:4001/"),
    "proxy-v1-unexpected.nginx-nginx": (4102, curl + "https://127.0.0.1:4002/"),
    "proxy-v1-unexpected.openssl-nginx": (4103, curl + "https://127.0.0.1:4003/"),
    "proxy-v1-unexpected.gnutls-nginx": (4104, curl + "https://127.0.0.1:4004/"),
    "proxy-v1-unexpected.node-nginx": (4105, curl + "https://127.0.0.1:4005/"),
    "proxy-v1-smtp.nginx-nginx": (2026, s_client + "-starttls smtp -connect 127.0.0.1:4006"),
    "proxy-v2.nginx-python": (4101, lambda: header_v2(4101, 0)),
    "proxy-v2-split.nginx-python": (4101, lambda: header_v2(4101, 31)),
    "proxy-v2-unexpected.openssl-python": (4103, lambda: header_v2(4103, 0)),
    "proxy-v2-unexpected.node-python": (4105, lambda: header_v2(4105, 0)),
    "proxy-missing.nginx-openssl": (4101, s_client + "-connect 127.0.0.1:4101"),
}
LATE = ["smtp.nginx-openssl", "imap.nginx-curl", "postgresql.postgres-openssl", "proxy-v1.nginx-nginx", "connect.tinyproxy-curl",
        "socks5.microsocks-curl", "ldap.python-openssl", "mysql.mariadb-mariadb", "smtp-refused.python-openssl"]


def upgrade(port):
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n")
    while not s.recv(4096).endswith(b"\r\n\r\n"):
        pass
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.keylog_filename = str(tmp / "keys")
    t = context.wrap_socket(s)
    t.recv(4096)
    t.close()


def record(name, port, client):
    file = here / (name + ".pcap")
    (tmp / "keys").unlink(missing_ok=True)
    dump = subprocess.Popen(["dumpcap", "-q", "-P", "-i", "lo", "-f", "tcp port %d" % port, "-w", str(tmp / "x.pcap")],
                            stderr=subprocess.PIPE, text=True)
    for line in dump.stderr:
        if line.startswith("File:"):
            break
    time.sleep(0.1)
    if callable(client):
        client()
    else:
        run(client)
    time.sleep(0.4)
    dump.send_signal(signal.SIGINT)
    dump.wait()
    file.write_bytes((tmp / "x.pcap").read_bytes())
    if (tmp / "keys").exists():
        (here / (name + ".keys")).write_bytes((tmp / "keys").read_bytes())
    if name in LATE:  # without the packets of the handshake of TCP
        run(["tshark", "-r", str(file), "-Y", "tcp.flags.syn == 0", "-F", "pcap", "-w", str(here / (name + ".late.pcap"))])
    print(name, file.stat().st_size)


try:
    pki()
    nginx()
    others()
    proxies()
    postgres("pg", 5432, True)
    postgres("pg2", 5433, False)
    mariadb()
    for protocol, port in {"smtp-refuses": 2325, "smtp": 2425, "ftp": 2021, "nntp": 2119, "sieve": 2190, "irc": 6667, "xmpp": 5222, "ldap": 2389,
                           "ldap-refuses": 2390, "mysql": 2306, "upgrade": 2080, "imap": 2443, "socks4": 2084, "socks4-refuses": 2085, "pop3-refuses": 2410,
                           "sieve-refuses": 2490, "mysql-without-tls": 2406, "silent": 2480}.items():
        plain(protocol, port)
    for name, (port, client) in scenarios.items():
        if len(sys.argv) < 2 or name in sys.argv[1:]:
            record(name, port, client)
finally:
    for p in running:
        try:
            os.killpg(p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        p.wait()
