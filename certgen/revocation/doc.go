// Package revocation reads what certificate revocation lists say of a
// certificate (RFC 5280 sections 5 and 6.3.3, RFC 9608, RFC 10007).
//
// Of the complete lists of an issuer the newest one that is not from the future
// decides. All others can add revocations, and never clear one: a certificate
// that they do not list is not good for that. These are delta CRLs, partitioned
// ones (with an issuingDistributionPoint), those with an extension that is not
// understood here, those from the future, and those of a CA whose keyUsage does
// not allow cRLSign.
//
// The issuer of a certificate must have signed the list itself. What another
// CRL issuer says of it (cRLIssuer, RFC 5280 section 4.2.1.13) does not count.
package revocation
