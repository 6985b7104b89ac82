# A mutual-TLS client: call.pl PORT CERTS
use strict;
use warnings;
use IO::Socket::SSL;

my ($port, $certs) = @ARGV;
my $socket = IO::Socket::SSL->new(
    PeerAddr      => "127.0.0.1:$port",
    SSL_hostname  => "localhost",
    SSL_verifycn_name => "localhost",
    SSL_ca_file   => "$certs/server-ca.pem",
    SSL_cert_file => "$certs/client.pem",
    SSL_key_file  => "$certs/client-key.pem",
) or die "connect: $SSL_ERROR";
print $socket "GET /perl HTTP/1.0\r\n\r\n";
print while <$socket>;
