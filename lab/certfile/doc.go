// Package certfile reads certificates and keys from files that people have:
// PEM, DER, PKCS#12, JKS and Secrets of Kubernetes, with the key in the same
// file or beside it, and bundles of CAs. If a file is wrong, the error is a
// *FileError that says what to do.
package certfile
