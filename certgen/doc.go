// Package certgen makes a PKI from a manifest: YAML documents in certyaml's
// syntax, one per certificate, in; certificates, keys and CRLs as PEM files in
// one folder out.
//
// The files are the only state. [Compare] reads them and says what is missing,
// changed, expired or broken; [Generate] makes exactly that. Certificates and
// CRLs are issued by github.com/tsaarni/certyaml.
package certgen
