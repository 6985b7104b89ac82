// Package lab pairs a mutual-TLS HTTP server with a client that calls it, and
// reports how every exchange between them ended, as each side saw it.
//
// # The floor plan
//
// A package imports only packages on lines below its own, and none on its own
// line. TestFloorPlan holds the code to it.
//
//	main
//	command
//	scenario
//	lab
//	keyshim ladder
//	capture certfile tlsdecrypt
//	browser certgen keylog
//	certgen/revocation httpwire private text tlswire wiretap
//	endpoint peertest
//
// From the top: main exits the process, and nothing else does. command has the
// command line. scenario runs the lessons. lab has the paired server and client,
// and joins what both saw. keyshim runs other programs with their keys logged;
// ladder draws. capture writes and reads pcapng; tlsdecrypt decrypts and checks.
// certfile reads the files that people have; certgen makes certificates from a
// manifest. The two lowest lines know nothing of each other's work: they parse
// TLS (tlswire) and HTTP (httpwire), tap connections (wiretap), and so on.
//
// # The way of a byte
//
//	certs.yaml ── certgen ──► certs/*.pem ──► Server, Client (package lab)
//	                                           │ bytes        │ TLS secrets
//	                                           ▼              ▼
//	                                          wiretap: events of a connection, in order
//	                                           │              │
//	    lab.pcapng ◄── capture: Writer ◄───────┘              └──► tlsdecrypt: Connection
//	        │                                                           │
//	        └── capture: Read ── wiretap: events ──► tlsdecrypt ──► ladder, JSON
//
// Both ways use the same types. A recorded connection is a stream of the same
// [mtlslab.example/lab/lab/wiretap.Event] as a live one, so what draws the one
// draws the other.
//
// Live, a [Journal] joins three views of an exchange: the server's, the
// client's, and what was said on the wire. It reports each [Exchange] once.
package lab
