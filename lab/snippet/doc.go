// Package snippet has ready configurations for mutual TLS: of servers, proxies,
// databases, command-line tools and languages, with the paths of a PKI. Each is
// short, right by default (the other side is verified, its name and revocation
// too where the program can, and the chain is sent), and says what each line
// does.
//
// They are templates in the folder snippets, NAME.server and NAME.client.
package snippet
