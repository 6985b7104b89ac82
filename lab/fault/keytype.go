package fault

import "mtlslab.example/lab/lab/tlswire"

// KeyType is a type of keys that the manifest does not have (RFC 9881).
type KeyType string

// The types.
const (
	MLDSA44 KeyType = "ML-DSA-44"
	MLDSA65 KeyType = "ML-DSA-65"
	MLDSA87 KeyType = "ML-DSA-87"
)

// KeyTypeError says that this program cannot make keys of a type.
type KeyTypeError struct{ Type KeyType }

func (e *KeyTypeError) Error() string {
	return "this lab has no keys of " + string(e.Type) + tlswire.Missing(string(e.Type))
}
