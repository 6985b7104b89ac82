"""A mutual-TLS client: client.py PORT CERTS

Makes one GET to localhost:PORT with the client's certificate from CERTS, the
folder of the PKI, and prints the TLS version, the status and the response.
"""

import http.client
import pathlib
import ssl
import sys

port, certs = int(sys.argv[1]), pathlib.Path(sys.argv[2])

context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks the host name too
context.minimum_version = ssl.TLSVersion.TLSv1_2
context.load_cert_chain(certs / "client.pem", certs / "client-key.pem")
context.load_verify_locations(certs / "server-ca.pem")
context.verify_mode = ssl.CERT_REQUIRED

connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
connection.connect()
version = connection.sock.version()
connection.request("GET", "/")
response = connection.getresponse()
print(version, response.status, response.reason)
print(response.read().decode(), end="")
connection.close()
