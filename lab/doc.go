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
//	exercise probe/mirror web
//	probe
//	scenario
//	check room
//	fault lab
//	javakeys keyshim ladder selection starttls summary
//	deploy handout vantage verdict
//	certfile tlsdecrypt
//	capture certgen chain gokeys
//	browser certgen/atomicfile certgen/yamldoc keylog prologue snippet
//	wiretap/wiretaptest
//	certgen/revocation certgen/spell httpwire private tlswire wiretap
//	dn
//	endpoint glossary packed peertest pipe text
//
// From the top: main exits the process, and nothing else does. command is the
// command line; web serves the live view. probe turns the lessons on other
// people's servers, and probe/mirror on their clients; exercise has broken
// worlds to repair, and marks them; scenario runs the lessons; check looks at
// files before anything is started, and room at who calls a server. lab has the
// paired server and client, fault what a scenario has them do wrong. keyshim
// runs other programs with their keys logged, gokeys and javakeys get those of
// Go and Java; ladder draws; starttls begins in plain text. verdict says what
// became of an exchange, from what each side saw and from the wire; vantage
// joins two captures of the same connections, selection chooses some, and
// summary counts them. handout packs what another machine may have, and deploy
// what containers and clusters run. tlsdecrypt decrypts and checks; certfile
// reads the files that people have. capture writes and reads pcapng; certgen
// makes certificates from a manifest; chain says whether certificates hold.
// prologue follows what is said before TLS; glossary has the words of the
// field, and dn writes and reads distinguished names. The rest parse one format
// or wrap one thing, such as tlswire (TLS), httpwire (HTTP), wiretap and pipe
// (connections).
//
// # The way of a byte
//
//	certs.yaml ─ certgen ─► certs/*.pem ─► lab.Server, lab.Client
//	                                        │ bytes     │ TLS secrets
//	                                        ▼           ▼
//	                                   wiretap.Event, in order
//	                                        │           │
//	    lab.pcapng ◄─ capture.Writer ◄──────┘           │
//	        │                                           ▼
//	        └─ capture.Read ─► wiretap.Event ─► tlsdecrypt.Connection
//	                                                    │
//	            what each side saw ─────────────► verdict.Judge
//	                                                    │
//	                                              ladder, JSON
//
// Live and from a file, a connection is a stream of the same events
// ([mtlslab.example/lab/lab/wiretap.Event]). So what judges and draws a
// recorded connection judges and draws a live one.
//
// Live, a [Journal] joins three views of an exchange: the server's, the
// client's, and what was said on the wire. It reports each [Exchange] once.
package lab
