package javakeys

import "strings"

// Environment returns environ with what makes JVMs connect. Other options may
// follow, separated by spaces.
//
// With the shim, each JVM's options are decided upon as it starts: see Variable.
// Without it they are in JAVA_TOOL_OPTIONS, behind what is there.
func (j *Listener) Environment(environ []string, shim bool, others ...string) []string {
	options := strings.Join(append([]string{j.Option()}, others...), " ")
	if shim {
		return append(environ, Variable+"="+options, tokenVariable+"="+j.token)
	}
	for _, v := range environ {
		if own, ok := strings.CutPrefix(v, "JAVA_TOOL_OPTIONS="); ok {
			options = own + " " + options
		}
	}
	return append(environ, "JAVA_TOOL_OPTIONS="+options, tokenVariable+"="+j.token)
}

const tokenVariable = "LAB_JAVA_RUN"
