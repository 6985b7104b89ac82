lab: made 4 certificates in certs: server-ca, server, client-ca, client
lab: capture in fc, with its keys, so that it opens decrypted:
  wireshark -d tcp.port==23447,tls -k -i fc
lab: recording to fc waits, and the connections with it: nobody reads it
lab: recording to fc ends: nobody reads it
lab: error: no connection to localhost:23447: dial tcp 127.0.0.1:23447: connect: connection refused
lab: hint: does a server run there? lab server --addr HOST:PORT starts one;
     localhost:23447 is where lab client looked
