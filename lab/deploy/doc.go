// Package deploy takes the lab beyond one machine: it writes a compose file,
// and manifests for Kubernetes with the certificates of a PKI as Secrets, or
// with those that cert-manager issues. They are templates in the folder
// templates.
//
// The image is made with Containerfile.
package deploy
