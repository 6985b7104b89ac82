package keyshim

import (
	"slices"
	"strings"
)

// Environment returns environ with what makes a program log its keys to the
// file keylog, an absolute path. library is the shim, as Library returns it, or
// "" to do without.
func Environment(environ []string, keylog, library string) []string {
	env := set(environ, "SSLKEYLOGFILE", keylog)
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace("--tls-keylog=" + keylog)
	env = set(env, "NODE_OPTIONS", join(get(env, "NODE_OPTIONS"), `"`+quoted+`"`))
	if library != "" {
		env = set(env, "LD_PRELOAD", join(library, get(env, "LD_PRELOAD")))
	}
	return env
}

func join(a, b string) string { return strings.TrimSpace(a + " " + b) }

// get returns the value of a variable, the last one if there are several, or
// "".
func get(env []string, name string) string {
	for _, v := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// set returns a copy of env in which the variable has that value.
func set(env []string, name, value string) []string {
	others := slices.DeleteFunc(slices.Clone(env), func(v string) bool { return strings.HasPrefix(v, name+"=") })
	return append(others, name+"="+value)
}
