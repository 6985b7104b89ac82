package scenario

import (
	"os"
	"os/exec"
	"testing"
)

var stackErlang = erlangStack()

// erlangStack lets tls_peer.erl serve the stack: one process all of its runs.
func erlangStack() *stack {
	var peer javaPeer
	return peer.serves(&stack{
		name: "Erlang", needs: []string{"erl", "erlc"},
		client: "ssl:connect with {verify, verify_peer}, {cacertfile, CA}, {server_name_indication, HOST}",
		server: "ssl:handshake with {verify, verify_peer}, {fail_if_no_peer_cert, true}, {cacertfile, CA}",
		lines:  `^(\{.*\}|ssl_closed)$`,
		version: func(t *testing.T) string {
			dir := t.TempDir()
			if out, err := exec.Command("erlc", "-o", dir, "testdata/stacks/tls_peer.erl").CombinedOutput(); err != nil {
				t.Fatalf("erlc: %v\n%s", err, out)
			}
			cmd := exec.Command("erl", "-noinput", "-kernel", "logger_level", "none", "-pa", dir, "-eval", "tls_peer:main(), halt().")
			cmd.Env = append(os.Environ(), "ERL_CRASH_DUMP_BYTES=0")
			peer.run(t, cmd)
			return "ssl " + firstWords(t, 1, "erl", "-noshell", "-eval", "application:load(ssl), {ok, V} = application:get_key(ssl, vsn), io:put_chars(V), halt().")
		},
	})
}
