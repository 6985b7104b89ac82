// Package selection chooses connections of a capture: by the time at which they
// were opened, and by who they are between, a name, the reason of a refusal or
// the outcome.
package selection
