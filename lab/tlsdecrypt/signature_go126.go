//go:build !go1.27

package tlsdecrypt

import (
	"crypto"

	"mtlslab.example/lab/lab/tlswire"
)

// verifyLater checks signatures that this version of Go has no code for.
func verifyLater(crypto.PublicKey, *tlswire.DigitallySigned, []byte) error { return errScheme }
