"""An HTTPS server for probes. Usage: server.py MODE CERT KEY CA [CRL]

A CRL is loaded as soon as it is there.
"""
import http.server, os, ssl, sys

mode, cert, key, ca = sys.argv[1:5]
crls = sys.argv[5:]


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def finish_request(self, request, address):  # the handshake, in the thread of the connection
        request.settimeout(10)
        if crls and os.path.exists(crls[0]):
            context.load_verify_locations(crls.pop())
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        super().finish_request(context.wrap_socket(request, server_side=True), address)

    def handle_error(self, *_):
        pass


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(cert, key)
if mode != "default":
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_OPTIONAL if mode == "optional" else ssl.CERT_REQUIRED
if mode == "crl":
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
if mode == "partial":
    context.verify_flags |= 0x80000  # VERIFY_X509_PARTIAL_CHAIN of Python 3.10, X509_V_FLAG_PARTIAL_CHAIN
if mode == "ticketless":
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
server = Server(("127.0.0.1", 0), Hello)
print("listening on", server.server_port, flush=True)
server.serve_forever()
