package main

import (
	"slices"
	"strings"
)

// sealedStacks are the stacks, each with the two programs that it meets: as a
// server the first's clients, as a client the second's servers. One of the two
// sides must log its keys.
var sealedStacks = map[string][2][]string{
	"openssl":  {{"go", "curl"}, {"go", "nginx"}},
	"gnutls":   {{"go", "openssl"}, {"gnutls", "go"}},
	"nss":      {{"openssl", "go"}, {"go", "openssl"}},
	"go":       {{"go", "curl"}, {"go", "openssl"}},
	"java":     {{"openssl", "go"}, {"openssl", "go"}},
	"java25":   {{"go", "curl"}, {"nginx", "go"}},
	"node":     {{"node", "python"}, {"node", "go"}},
	"python":   {{"python", "go"}, {"openssl", "node"}},
	"erlang":   {{"openssl", "go"}, {"openssl", "go"}},
	"erlang27": {{"go", "curl"}, {"go", "node"}},
	"botan":    {{"openssl", "go"}, {"openssl", "go"}},
	"mbedtls":  {{"openssl", "go"}, {"openssl", "go"}},
}

// onNetwork are the stacks that are recorded with the packets of a network, not
// with those of a loopback device.
var onNetwork = []string{"node", "python", "erlang27", "java25", "nss", "gnutls"}

// inRoot are the stacks that the other root folder has.
var inRoot = []string{"botan", "mbedtls", "erlang27"}

type sealedFault struct {
	name   string
	change func(*sealed)
}

func serverPair(name string) sealedFault {
	return sealedFault{"server-" + name, func(c *sealed) { c.server.Pair = "server-" + name }}
}

func clientPair(name string) sealedFault {
	return sealedFault{"client-" + name, func(c *sealed) { c.client.Pair = "client-" + name }}
}

// sealedFaults are refused; those of the client's certificate by the server.
var sealedFaults = []sealedFault{
	serverPair("partner"), serverPair("self"), serverPair("expired"), serverPair("early"), serverPair("usage"), serverPair("alone"),
	{"server-host", func(c *sealed) { c.client.Name = otherName }},
	{"server-key", func(c *sealed) { c.server.Key = "server-mixed" }},
	{"client-none", func(c *sealed) { c.client.Pair = "" }},
	clientPair("partner"), clientPair("self"), clientPair("expired"), clientPair("early"), clientPair("usage"), clientPair("alone"),
	{"client-revoked", func(c *sealed) { c.client.Pair, c.server.CRL = "client-revoked", true }},
	{"client-key", func(c *sealed) { c.client.Key = "client-mixed" }},
	{"client-large-refused", func(c *sealed) { c.client.Pair, c.server.CRL = "client-large-expired", false }},
	{"client-partner-quiet", func(c *sealed) { c.client.Pair, c.client.Requests = "client-partner", 0 }},
	{"client-none-quiet", func(c *sealed) { c.client.Pair, c.client.Requests = "", 0 }},
}

// sealedMixes succeed.
var sealedMixes = []sealedFault{
	{"good", func(c *sealed) {}},
	{"good-tickets-off", func(c *sealed) { c.server.NoTickets = true }},
	{"good-quiet", func(c *sealed) { c.client.Requests = 0 }},
	{"good-quiet-tickets-off", func(c *sealed) { c.client.Requests, c.server.NoTickets = 0, true }},
	{"good-requests", func(c *sealed) { c.client.Requests = 3 }},
	{"good-big", func(c *sealed) { c.client.Body, c.server.Answer = 3000, 5000 }},
	{"good-empty", func(c *sealed) { c.server.Answer = 0 }},
	{"unasked", func(c *sealed) { c.server.Ask = "off" }},
	{"unasked-quiet", func(c *sealed) { c.server.Ask, c.client.Requests = "off", 0 }},
	{"unasked-tickets-off", func(c *sealed) { c.server.Ask, c.server.NoTickets = "off", true }},
	{"optional-none", func(c *sealed) { c.server.Ask, c.client.Pair = "optional", "" }},
	{"retried", func(c *sealed) { c.server.Group = "secp384r1" }},
	{"resumed", func(c *sealed) { c.client.Calls = 2 }},
	{"rsa", func(c *sealed) { c.server.Pair, c.client.Pair = "server-rsa", "client-rsa" }},
	{"large", func(c *sealed) { c.client.Pair = "client-large" }},
	{"aes128", suite("TLS_AES_128_GCM_SHA256")},
	{"chacha", suite("TLS_CHACHA20_POLY1305_SHA256")},
	{"ccm8", suite("TLS_AES_128_CCM_8_SHA256")},
	{"padded", func(c *sealed) { c.server.Padding, c.client.Padding = true, true }},
	{"no-compat", func(c *sealed) { c.server.NoCompat, c.client.NoCompat = true, true }},
	{"http2", func(c *sealed) { c.server.HTTP2, c.client.HTTP2 = true, true }},
}

// once are the mixes that a stack has in one of its two parts only.
var once = []string{"good-empty", "good-requests", "good-big", "aes128", "chacha", "rsa", "large", "unasked-tickets-off", "optional-none"}

func suite(name string) func(*sealed) {
	return func(c *sealed) { c.server.Suite, c.client.Suite = name, name }
}

// can says which programs can do what a fault or a mix is about: others would
// only repeat the good connection.
var can = map[string]func(c *sealed) bool{
	"client-revoked": func(c *sealed) bool { return !is(c.server, "nss", "erlang", "go") },
	"server-key":     func(c *sealed) bool { return !is(c.server, "nss", "gnutls", "node", "go", "botan") },
	"client-key":     func(c *sealed) bool { return !is(c.client, "nss", "gnutls", "node", "go", "botan") },
	"ccm8": func(c *sealed) bool {
		return is(c.server, "openssl", "gnutls", "erlang", "mbedtls") && is(c.client, "openssl", "gnutls", "erlang", "mbedtls")
	},
	"aes128": func(c *sealed) bool { return !is(c.server, "go", "python") && !is(c.client, "go", "python") },
	"chacha": func(c *sealed) bool {
		return is(c.server, "openssl", "gnutls", "nss", "java", "erlang", "mbedtls", "nginx")
	},
	"padded":               func(c *sealed) bool { return is(c.server, "openssl") || is(c.client, "openssl") },
	"no-compat":            func(c *sealed) bool { return is(c.client, "openssl", "gnutls", "java") },
	"http2":                func(c *sealed) bool { return is(c.server, "go", "nginx", "node") && is(c.client, "go", "curl", "node") },
	"resumed":              func(c *sealed) bool { return !is(c.client, "curl") },
	"good-requests":        func(c *sealed) bool { return !is(c.server, "openssl", "gnutls", "nss") },
	"good-big":             func(c *sealed) bool { return !is(c.server, "openssl", "gnutls", "nss") },
	"client-large-refused": func(c *sealed) bool { return !is(c.client, "nss") },
	"client-alone":         func(c *sealed) bool { return !is(c.client, "nss") },
	"server-alone":         func(c *sealed) bool { return !is(c.server, "nss") },
	"rsa":                  func(c *sealed) bool { return !is(c.client, "nss") },
	"large":                func(c *sealed) bool { return !is(c.client, "nss") },
}

func is(p peer, programs ...string) bool {
	program, _ := cutDigits(p.Stack)
	return slices.Contains(programs, program)
}

// sealedCases are the connections of a stack with the programs that it meets.
func sealedCases(stack, root string) (all []*sealed) {
	side := func(stack string) peer {
		p := peer{Stack: stack, Name: serverName, Requests: 1, Calls: 1, Answer: 200, Ask: "on"}
		if slices.Contains(inRoot, stack) {
			p.Root = root
		}
		return p
	}
	add := func(server, client string, f sealedFault) {
		c := &sealed{what: f.name, server: side(server), client: side(client)}
		c.server.Pair, c.client.Pair = "server", "client"
		f.change(c)
		if able := can[f.name]; able != nil && !able(c) || c.client.Stack == "curl" && c.client.Requests == 0 {
			return
		}
		all = append(all, c)
	}
	with := sealedStacks[stack]
	for i, f := range slices.Concat(sealedFaults, sealedMixes) {
		one := slices.Contains(once, f.name)
		if by := with[0][i%2]; (!strings.HasPrefix(f.name, "server-") || i%3 == 0) && (!one || i%2 == 0) { // the server is this stack
			add(stack, by, f)
		}
		if by := with[1][i%2]; (!strings.HasPrefix(f.name, "client-") || i%3 == 0) && (!one || i%2 == 1) {
			add(by, stack, f)
		}
	}
	if stack == "go" {
		all = append(all, worlds(side)...)
	}
	return all
}

// worlds have the sizes of others: nobody can tell them apart.
func worlds(side func(string) peer) (all []*sealed) {
	for _, manner := range []string{"hang up", "close", "greet", "ok"} {
		for _, tickets := range []bool{true, false} {
			for _, ask := range []string{"on", "off"} {
				c := &sealed{what: strings.ReplaceAll("app-"+manner, " ", "-"), server: side("go"), client: side("go")}
				c.server.Pair, c.client.Pair, c.server.Manner, c.client.Manner = "server", "client", manner, manner
				c.server.NoTickets, c.server.Ask = !tickets, ask
				if manner == "greet" {
					c.client.Requests = 0
				}
				all = append(all, c)
			}
		}
	}
	return all
}
