# One TLS connection, from either end:
#
#     client|server HOST PORT VERSION TRUST CRLS [CERT KEY]
#
# CRLS says how far the CRLs in TRUST are looked at: off, leaf or chain.
# A server prints "listening on PORT" first. An error ends the program as it does
# any other.
require "net/http"
require "openssl"
require "socket"

as, host, port, version, trust, crls, cert, key = ARGV
version = "TLS" + version.tr(".", "_")
cert &&= OpenSSL::X509::Certificate.load_file(cert)
key &&= OpenSSL::PKey.read(File.read(key))
store = OpenSSL::X509::Store.new
store.add_file(trust)
store.flags = OpenSSL::X509::V_FLAG_CRL_CHECK if crls == "leaf"
store.flags = OpenSSL::X509::V_FLAG_CRL_CHECK | OpenSSL::X509::V_FLAG_CRL_CHECK_ALL if crls == "chain"

if as == "client"
  http = Net::HTTP.new(host, port, nil)
  http.ipaddr = "127.0.0.1"
  http.use_ssl = true
  http.min_version = http.max_version = version
  http.cert_store = store
  http.cert, http.extra_chain_cert, http.key = cert[0], cert[1..], key if cert
  http.get("/")
  exit
end

context = OpenSSL::SSL::SSLContext.new
context.min_version = context.max_version = version
context.cert_store = store
context.add_certificate(cert[0], key, cert[1..])
context.verify_mode = OpenSSL::SSL::VERIFY_PEER | OpenSSL::SSL::VERIFY_FAIL_IF_NO_PEER_CERT
server = TCPServer.new("127.0.0.1", 0)
$stdout.sync = true
puts "listening on #{server.addr[1]}"
conn = OpenSSL::SSL::SSLSocket.new(server.accept, context)
conn.sync_close = true
conn.accept
conn.gets("\r\n\r\n")
conn.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
conn.close
