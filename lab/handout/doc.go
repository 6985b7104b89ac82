// Package handout packs what one side of a connection may have of a PKI, for
// another machine, and unpacks it there: its certificate and key, the CA that
// the other side must have, and that CA's CRLs. It never has the key of a CA or
// of the other side.
//
// A hand-out is a zip file or a folder:
//
//	client-01/README.txt
//	client-01/handout.json            what it is, for lab join
//	client-01/certs/client-01.pem
//	client-01/certs/client-01-key.pem encrypted, if there is a password
//	client-01/certs/client-01.p12     if asked for
//	client-01/certs/server-ca.pem
//	client-01/certs/server-ca-crl.pem if there is one
//
// What is read is not trusted: see [Open].
package handout
