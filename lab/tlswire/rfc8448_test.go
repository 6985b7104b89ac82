package tlswire

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"testing"
)

// rfc8448 returns the messages of the trace, in the order of the file.
func rfc8448(t *testing.T) (all []Handshake) {
	t.Helper()
	for _, m := range flowMessages(t) {
		if m.flow == "rfc8448.flow" {
			h, err := ParseHandshake(m.raw, m.ctx)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, h)
		}
	}
	return all
}

// The trace is the RFC's own to the last byte: its CertificateVerify verifies
// over it, and its transcript hash is the one RFC 8448 section 3 prints.
func TestRFC8448TraceIsAuthentic(t *testing.T) {
	messages := rfc8448(t)
	transcript := sha256.New()
	for _, h := range messages[:4] {
		transcript.Write(h.Raw)
	}
	cert, err := x509.ParseCertificate(messages[3].Body.(*Certificate).Entries[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	signed := sha256.New()
	signed.Write(bytes.Repeat([]byte{0x20}, 64))
	signed.Write([]byte("TLS 1.3, server CertificateVerify\x00"))
	signed.Write(transcript.Sum(nil))
	verify := messages[4].Body.(*CertificateVerify)
	if verify.Algorithm != SchemeRSAPSSRSAESHA256 {
		t.Fatalf("algorithm is %v", verify.Algorithm)
	}
	if err := rsa.VerifyPSS(cert.PublicKey.(*rsa.PublicKey), crypto.SHA256, signed.Sum(nil), verify.Signature, nil); err != nil {
		t.Error(err)
	}
	transcript.Write(messages[4].Raw)
	transcript.Write(messages[5].Raw)
	const want = "9608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13"
	if got := hex.EncodeToString(transcript.Sum(nil)); got != want {
		t.Errorf("transcript hash %s, want %s", got, want)
	}
}

func TestRFC8448Values(t *testing.T) {
	messages := rfc8448(t)
	var names []string
	for _, h := range messages {
		names = append(names, h.Name())
	}
	want := []string{"ClientHello", "ServerHello", "EncryptedExtensions", "Certificate", "CertificateVerify", "Finished", "Finished",
		"NewSessionTicket", "ClientHello", "ClientHello", "HelloRetryRequest", "ServerHello"}
	if len(names) != len(want) {
		t.Fatalf("messages %v", names)
	}
	for i := range want {
		if names[i] != want[i] {
			t.Errorf("message %d is %s, want %s", i, names[i], want[i])
		}
	}
	sh := messages[1].Body.(*ServerHello)
	share, ok := Lookup[*KeyShareServerHello](sh.Extensions, ExtensionKeyShare)
	if sh.Version() != VersionTLS13 || sh.CipherSuite != TLS_AES_128_GCM_SHA256 || !ok || share.Share.Group != GroupX25519 || len(share.Share.KeyExchange) != 32 {
		t.Errorf("ServerHello %+v, share %+v", sh, share)
	}
	resumed := messages[8].Body.(*ClientHello)
	psk, ok := Lookup[*OfferedPSKs](resumed.Extensions, ExtensionPreSharedKey)
	if !ok || len(psk.Binders) != 1 || len(messages[8].Raw)-(2+1+len(psk.Binders[0])) != 477 {
		t.Errorf("pre_shared_key %+v", psk) // RFC 8448 section 4: the prefix before the binders is 477 octets
	}
	if !Has(resumed.Extensions, ExtensionEarlyData) {
		t.Error("the resumed ClientHello has no early_data")
	}
	ticket := messages[7].Body.(*NewSessionTicket)
	size, ok := Lookup[*MaxEarlyDataSize](ticket.Extensions, ExtensionEarlyData)
	if ticket.Lifetime != 30 || !ok || size.Size != 1024 || !bytes.Equal(ticket.Ticket, psk.Identities[0].Identity) {
		t.Errorf("ticket %+v", ticket)
	}
	retry, ok := Lookup[*KeyShareHelloRetryRequest](messages[10].Body.(*ServerHello).Extensions, ExtensionKeyShare)
	if !ok || retry.SelectedGroup != GroupSecp256r1 {
		t.Errorf("HelloRetryRequest %+v", retry)
	}
	// The serial number 2 looks like the version's INTEGER 2 before it.
	if f := find(messages[3].Fields(), "certificate_list", "CertificateEntry", "cert_data", "serialNumber"); f == nil || f.Value != "02" || f.Offset != 24 || f.Length != 3 {
		t.Errorf("serialNumber %+v", f)
	}
}

// The memory of a message may be used for another one, while the certificates
// in it are remembered.
func TestParseCertificateKeepsNoReference(t *testing.T) {
	der := rfc8448(t)[3].Body.(*Certificate).Entries[0].Data
	mine := bytes.Clone(der)
	cert, err := ParseCertificate(mine)
	clear(mine)
	if err != nil || !bytes.Equal(cert.Raw, der) {
		t.Errorf("%v, with the DER %x, want %x", err, cert.Raw, der)
	}
}
