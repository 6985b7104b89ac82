// Package certfile reads certificates and keys from files that people have:
// PEM, DER and PKCS#12, with the key in the same file or beside it, and bundles
// of CAs. If a file is wrong, the error is a *FileError that says what to do.
package certfile
