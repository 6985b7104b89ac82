// Package types holds what lab deploy writes to the published types of
// Kubernetes, the Gateway API, cert-manager and compose. It is a module of its
// own, so that the lab does not depend on them. TestTypes in lab/deploy runs
// it, with the files in $LAB_MANIFESTS.
package types
