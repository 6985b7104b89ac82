package tlswire

import (
	"encoding/asn1"
	"fmt"
	"time"
)

// SupportedVersions is supported_versions in a ClientHello
// (RFC 9846 section 4.3.1).
type SupportedVersions struct {
	Versions []Version
}

func (x *SupportedVersions) wire(c *codec) {
	numbers(c, 1, 2, "versions", "ProtocolVersion", &x.Versions, "The versions the client can do, the ones it likes best first (RFC 9846 section 4.3.1).")
}

// SelectedVersion is supported_versions in a ServerHello or HelloRetryRequest
// (RFC 9846 section 4.3.1).
type SelectedVersion struct {
	Version Version
}

func (x *SelectedVersion) wire(c *codec) {
	number(c, 2, "selected_version", &x.Version, "The version the server picked: this decides (RFC 9846 section 4.3.1).")
}

// KeyShareEntry is one side's public key for one group
// (RFC 9846 section 4.3.8).
type KeyShareEntry struct {
	Group       NamedGroup
	KeyExchange []byte
}

func (x *KeyShareEntry) wire(c *codec) {
	c.group("KeyShareEntry", "", func() {
		number(c, 2, "group", &x.Group, "The group this share is for (RFC 9846 section 4.3.8).")
		opaque(c, 2, "key_exchange", &x.KeyExchange, x.note())
	})
	c.valued(x.Group.String)
}

// note explains how hybrid shares are put together (RFC 10024).
func (x *KeyShareEntry) note() string {
	switch x.Group {
	case GroupX25519MLKEM768:
		return "A share for ML-KEM, which a quantum computer does not break, followed by one for X25519 (RFC 10024)."
	case GroupSecP256r1MLKEM768, GroupSecP384r1MLKEM1024:
		return "A share for an elliptic curve, followed by one for ML-KEM, which a quantum computer does not break (RFC 10024)."
	}
	return "A public key made for this connection only (RFC 9846 section 4.3.8)."
}

// KeyShareClientHello is key_share in a ClientHello (RFC 9846 section 4.3.8).
type KeyShareClientHello struct {
	Shares []KeyShareEntry
}

func (x *KeyShareClientHello) wire(c *codec) {
	list(c, 2, "client_shares", &x.Shares, "The client's halves of key agreements, one for each group it guesses the server may pick (RFC 9846 section 4.3.8).", func(e *KeyShareEntry) { e.wire(c) })
}

// KeyShareServerHello is key_share in a ServerHello (RFC 9846 section 4.3.8).
type KeyShareServerHello struct {
	Share KeyShareEntry
}

func (x *KeyShareServerHello) wire(c *codec) { x.Share.wire(c) }

// KeyShareHelloRetryRequest is key_share in a HelloRetryRequest
// (RFC 9846 section 4.3.8).
type KeyShareHelloRetryRequest struct {
	SelectedGroup NamedGroup
}

func (x *KeyShareHelloRetryRequest) wire(c *codec) {
	number(c, 2, "selected_group", &x.SelectedGroup, "The group for which the server wants a key share (RFC 9846 section 4.3.8).")
}

// PSKIdentity is a pre-shared key on offer (RFC 9846 section 4.3.11).
type PSKIdentity struct {
	Identity            []byte
	ObfuscatedTicketAge uint32
}

// OfferedPSKs is pre_shared_key in a ClientHello, always its last extension
// (RFC 9846 section 4.3.11).
type OfferedPSKs struct {
	Identities []PSKIdentity
	Binders    [][]byte
}

// AreTickets reports whether the first is a ticket: a key that both sides were
// given by other means has no age (RFC 9846 section 4.3.11).
func (x *OfferedPSKs) AreTickets() bool {
	return len(x.Identities) > 0 && x.Identities[0].ObfuscatedTicketAge != 0
}

func (x *OfferedPSKs) wire(c *codec) {
	list(c, 2, "identities", &x.Identities, "Names of the keys: tickets from earlier connections, or what both sides configured (RFC 9846 section 4.3.11).", func(id *PSKIdentity) {
		c.group("PskIdentity", "", func() {
			opaque(c, 2, "identity", &id.Identity, "The ticket, or the key's name (RFC 9846 section 4.3.11).")
			number(c, 4, "obfuscated_ticket_age", &id.ObfuscatedTicketAge, "How old the ticket is, in milliseconds, plus its ticket_age_add (RFC 9846 section 4.3.11.1).")
		})
		c.valued(func() string { return short(id.Identity) })
	})
	list(c, 2, "binders", &x.Binders, "One for each identity: a checksum (MAC) of this ClientHello up to here under the key, proof that the client has the key (RFC 9846 section 4.3.11.2).", func(b *[]byte) {
		opaque(c, 1, "PskBinderEntry", b, "")
	})
}

// SelectedPSK is pre_shared_key in a ServerHello (RFC 9846 section 4.3.11).
type SelectedPSK struct {
	SelectedIdentity uint16
}

func (x *SelectedPSK) wire(c *codec) {
	number(c, 2, "selected_identity", &x.SelectedIdentity, "Which of the client's identities the server took, counted from 0 (RFC 9846 section 4.3.11).")
}

// MaxEarlyDataSize is early_data in a NewSessionTicket
// (RFC 9846 section 4.7.1).
type MaxEarlyDataSize struct {
	Size uint32
}

func (x *MaxEarlyDataSize) wire(c *codec) {
	number(c, 4, "max_early_data_size", &x.Size, "How many bytes the client may send at once when it comes back with this ticket (RFC 9846 section 4.7.1).")
}

// Cookie is cookie (RFC 9846 section 4.3.2).
type Cookie struct {
	Cookie []byte
}

func (x *Cookie) wire(c *codec) {
	opaque(c, 2, "cookie", &x.Cookie, "What the server asked in its HelloRetryRequest, to be repeated by the client (RFC 9846 section 4.3.2).")
}

// PSKKeyExchangeModes is psk_key_exchange_modes (RFC 9846 section 4.3.9).
type PSKKeyExchangeModes struct {
	Modes []PSKKeyExchangeMode
}

func (x *PSKKeyExchangeModes) wire(c *codec) {
	numbers(c, 1, 1, "ke_modes", "PskKeyExchangeMode", &x.Modes, "Whether a pre-shared key may be used alone or only with a fresh key agreement (RFC 9846 section 4.3.9).")
}

// CertificateAuthorities is certificate_authorities (RFC 9846 section 4.3.4).
type CertificateAuthorities struct {
	Authorities []DistinguishedName
}

func (x *CertificateAuthorities) wire(c *codec) {
	distinguishedNames(c, "authorities", &x.Authorities, "The names of the authorities whose certificates the sender takes (RFC 9846 section 4.3.4).")
}

// OIDFilter is one condition on certificates (RFC 9846 section 4.3.5).
type OIDFilter struct {
	OID    []byte // in DER
	Values []byte // in DER
}

// OIDFilterExtension is oid_filters (RFC 9846 section 4.3.5).
type OIDFilterExtension struct {
	Filters []OIDFilter
}

func (x *OIDFilterExtension) wire(c *codec) {
	list(c, 2, "filters", &x.Filters, "What the client's certificate must have in its extensions (RFC 9846 section 4.3.5).", func(f *OIDFilter) {
		c.group("OIDFilter", "", func() {
			opaque(c, 1, "certificate_extension_oid", &f.OID, "Which extension (RFC 9846 section 4.3.5).")
			c.valued(func() string { return oid(f.OID) })
			opaque(c, 2, "certificate_extension_values", &f.Values, "What it must hold (RFC 9846 section 4.3.5).")
		})
		c.valued(func() string { return oid(f.OID) })
	})
}

func oid(der []byte) string {
	var id asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(der, &id); err != nil || len(rest) > 0 {
		return short(der)
	}
	return id.String()
}

// Seconds is a span of time.
type Seconds uint32

func (s Seconds) String() string {
	return fmt.Sprintf("%d s (%v)", uint32(s), time.Duration(s)*time.Second)
}

// DelegatedCredential is delegated_credential in a CertificateEntry
// (RFC 9345 section 4).
type DelegatedCredential struct {
	ValidTime     Seconds
	Algorithm     SignatureScheme // of CertificateVerify
	PublicKeyInfo []byte
	Signed        DigitallySigned
}

func (x *DelegatedCredential) wire(c *codec) {
	c.group("Credential", "", func() {
		number(c, 4, "valid_time", &x.ValidTime, "How long it is good, counted from the certificate's notBefore (RFC 9345 section 4).")
		number(c, 2, "dc_cert_verify_algorithm", &x.Algorithm, "How CertificateVerify will be signed with the delegated key (RFC 9345 section 4).")
		opaque(c, 3, "ASN1_subjectPublicKeyInfo", &x.PublicKeyInfo, "The delegated public key (RFC 9345 section 4).")
	})
	x.Signed.wire(c)
}
