# A client in Python: call.py verify|nohost|nothing URL CA CERT KEY
import ssl
import sys
import urllib.request

how, url, ca, cert, key = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(cert, key)
if how != "verify":
    context.check_hostname = False
if how == "nothing":
    context.verify_mode = ssl.CERT_NONE
urllib.request.urlopen(url, context=context, timeout=20).read()
