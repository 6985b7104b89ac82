"""A mutual-TLS server on loopback: server.py PORT CERTS

PORT 0 takes a free one. CERTS is the folder of the PKI. Prints "listening on
PORT" once clients can connect, and then answers GET until it is ended.
"""

import http.server
import pathlib
import ssl
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        subject = self.connection.getpeercert()["subject"]
        name = ", ".join(f"{key}={value}" for ((key, value),) in subject)
        body = f"Hello {name}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


port, certs = int(sys.argv[1]), pathlib.Path(sys.argv[2])

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.minimum_version = ssl.TLSVersion.TLSv1_2
context.load_cert_chain(certs / "server.pem", certs / "server-key.pem")
context.load_verify_locations(certs / "client-ca.pem")
context.verify_mode = ssl.CERT_REQUIRED

server = http.server.HTTPServer(("127.0.0.1", port), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print("listening on", server.server_port, flush=True)
server.serve_forever()
