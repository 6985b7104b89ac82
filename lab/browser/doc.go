// Package browser starts an installed browser with a profile of its own, in
// which it trusts a CA, holds a client certificate and logs its TLS keys.
//
// It reads and writes nothing that belongs to the user: the profile is a new
// folder of mode 0700, which is removed when the browser ends. NSS's certutil
// and pk12util put certificates into it; they are installed apart from
// browsers.
package browser
