package tlsdecrypt_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// fieldKind is how the values of a field are compared.
type fieldKind int

const (
	asNumber fieldKind = iota
	asBytes
	asText
	asLength // of it only
)

// theirs is a value as tshark shows it.
func (k fieldKind) theirs(text string) string {
	switch k {
	case asNumber, asLength:
		return fmt.Sprint(number(text))
	case asBytes:
		b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
		if err != nil {
			return text
		}
		return brief(b)
	}
	return text
}

// ours is a value as it stands in the message.
func (k fieldKind) ours(b []byte) string {
	switch k {
	case asNumber:
		n := uint64(0)
		for _, c := range b {
			n = n<<8 | uint64(c)
		}
		return fmt.Sprint(n)
	case asLength:
		return fmt.Sprint(len(b))
	case asBytes:
		return brief(b)
	}
	return string(b)
}

// brief renders long values by their hash.
func brief(b []byte) string {
	if len(b) <= 32 {
		return hex.EncodeToString(b)
	}
	sum := sha256.Sum256(b)
	return fmt.Sprintf("%d bytes, hash %x", len(b), sum[:8])
}

// fieldNames are tshark's names of the fields that are compared, by the names
// this package has, with that of the message in front where it matters.
var fieldNames = map[string]string{
	"cookie":                                "tls.handshake.extensions.cookie",
	"ClientHello/status_type":               "tls.handshake.extensions_status_request_type",
	"CertificateCompressionAlgorithm":       "tls.compress_certificate.algorithm",
	"RecordSizeLimit":                       "tls.record_size_limit",
	"CertificateStatus/status_type":         "tls.handshake.extensions_status_request_type",
	"Certificate/status_type":               "tls.handshake.extensions_status_request_type",
	"mode":                                  "tls.handshake.extension.heartbeat.mode",
	"CertificateType":                       "tls.handshake.cert_type.type",
	"length":                                "tls.handshake.length",
	"legacy_version":                        "tls.handshake.version",
	"random":                                "tls.handshake.random",
	"legacy_session_id":                     "tls.handshake.session_id",
	"legacy_session_id_echo":                "tls.handshake.session_id",
	"CipherSuite":                           "tls.handshake.ciphersuite",
	"cipher_suite":                          "tls.handshake.ciphersuite",
	"CompressionMethod":                     "tls.handshake.comp_method",
	"legacy_compression_method":             "tls.handshake.comp_method",
	"extension_type":                        "tls.handshake.extension.type",
	"extension_data":                        "tls.handshake.extension.len",
	"name_type":                             "tls.handshake.extensions_server_name_type",
	"ClientHello/name":                      "tls.handshake.extensions_server_name",
	"NamedGroup":                            "tls.handshake.extensions_supported_group",
	"ECPointFormat":                         "tls.handshake.extensions_ec_point_format",
	"SignatureScheme":                       "tls.handshake.sig_hash_alg",
	"SignatureAndHashAlgorithm":             "tls.handshake.sig_hash_alg",
	"ServerKeyExchange/algorithm":           "tls.handshake.sig_hash_alg",
	"CertificateVerify/algorithm":           "tls.handshake.sig_hash_alg",
	"ProtocolName":                          "tls.handshake.extensions_alpn_str",
	"ProtocolVersion":                       "tls.handshake.extensions.supported_version",
	"selected_version":                      "tls.handshake.extensions.supported_version",
	"group":                                 "tls.handshake.extensions_key_share_group",
	"selected_group":                        "tls.handshake.extensions_key_share_selected_group",
	"key_exchange":                          "tls.handshake.extensions_key_share_key_exchange",
	"PskKeyExchangeMode":                    "tls.extension.psk_ke_mode",
	"identity":                              "tls.handshake.extensions.psk.identity.identity",
	"obfuscated_ticket_age":                 "tls.handshake.extensions.psk.identity.obfuscated_ticket_age",
	"selected_identity":                     "tls.handshake.extensions.psk.identity.selected",
	"renegotiated_connection":               "tls.handshake.extensions_reneg_info_len",
	"ASN.1Cert":                             "tls.handshake.certificate",
	"cert_data":                             "tls.handshake.certificate",
	"certificate_request_context":           "tls.handshake.certificate_request_context_length",
	"ClientCertificateType":                 "tls.handshake.cert_type",
	"DistinguishedName":                     "tls.handshake.dname_len",
	"curve_type":                            "tls.handshake.server_curve_type",
	"namedcurve":                            "tls.handshake.server_named_curve",
	"public":                                "tls.handshake.server_point",
	"dh_p":                                  "tls.handshake.p",
	"dh_g":                                  "tls.handshake.g",
	"dh_Ys":                                 "tls.handshake.ys",
	"ServerKeyExchange/signature":           "tls.handshake.sig",
	"CertificateVerify/signature":           "tls.handshake.client_cert_vrfy.sig",
	"psk_identity":                          "tls.handshake.identity",
	"psk_identity_hint":                     "tls.handshake.hint",
	"dh_Yc":                                 "tls.handshake.yc",
	"ecdh_Yc":                               "tls.handshake.client_point",
	"EncryptedPreMasterSecret":              "tls.handshake.epms",
	"request_update":                        "tls.handshake.key_update.request_update",
	"NewSessionTicket/ticket":               "tls.handshake.session_ticket",
	"NewSessionTicket/ticket_age_add":       "tls.handshake.session_ticket_age_add",
	"NewSessionTicket/ticket_nonce":         "tls.handshake.session_ticket_nonce",
	"NewSessionTicket/ticket_lifetime":      "tls.handshake.session_ticket_lifetime_hint",
	"NewSessionTicket/ticket_lifetime_hint": "tls.handshake.session_ticket_lifetime_hint",
	"max_early_data_size":                   "tls.early_data.max_early_data_size",
	"Certificate/OCSPResponse":              "tls.handshake.ocsp_response_len",
	"CertificateStatus/OCSPResponse":        "tls.handshake.ocsp_response_len",
}

// fieldKinds are the kinds of tshark's fields.
var fieldKinds = func() map[string]fieldKind {
	kinds := map[string]fieldKind{}
	for _, name := range fieldNames {
		kinds[name] = asNumber
		for _, end := range []string{".random", "session_id", "_key_exchange", ".certificate", "_point", ".identity", ".hint", ".p", ".g", ".ys", ".yc", "sig", ".epms", "session_ticket", "nonce", ".cookie"} {
			if strings.HasSuffix(name, end) {
				kinds[name] = asBytes
			}
		}
		if strings.HasSuffix(name, "_len") || strings.HasSuffix(name, ".len") || strings.HasSuffix(name, "context_length") {
			kinds[name] = asLength
		}
	}
	for _, name := range []string{"extensions_server_name", "extensions_alpn_str"} {
		kinds["tls.handshake."+name] = asText
	}
	return kinds
}()
