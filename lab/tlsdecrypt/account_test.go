package tlsdecrypt_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// account is what was said on a connection by each side: handshake messages, alerts and the like, and HTTP, which
// tshark tells last of a packet.
type account struct {
	said, http [3][]entry
}

// entry is a message and the fields of it that are compared, by tshark's names.
type entry struct {
	head   string
	fields []string
}

// from leaves out the first fields.
func (e entry) from(field int) entry {
	return entry{e.head, e.fields[min(field, len(e.fields)):min(field+4, len(e.fields))]}
}

func (e entry) String() string { return strings.Join(append([]string{e.head}, e.fields...), "\n\t\t") }

func (a *account) say(from tlswire.Side, head string) {
	a.said[from] = append(a.said[from], entry{head: head})
}

// field adds a field to the last message.
func (a *account) field(from tlswire.Side, field string) {
	last := &a.said[from][len(a.said[from])-1]
	last.fields = append(last.fields, field)
}

func (a *account) message(from tlswire.Side, t tlswire.HandshakeType, protected bool) {
	a.say(from, "handshake "+t.String()+lock(protected))
}

func (a *account) alert(from tlswire.Side, level, description uint64, protected bool) {
	a.say(from, fmt.Sprintf("alert %d %d%s", level, description, lock(protected)))
}

// closed notes a record that cannot be read, several in a row once.
func (a *account) closed(from tlswire.Side, t tlswire.ContentType) {
	head := "unread " + t.String()
	if n := len(a.said[from]); n == 0 || a.said[from][n-1].head != head {
		a.say(from, head)
	}
}

func lock(protected bool) string {
	if protected {
		return " protected"
	}
	return ""
}

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

// fieldNames are tshark's names of the fields that are compared, by the names this package has, with that of the
// message in front where it matters.
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

// newerThanTshark are extensions whose content tshark 4.0.17 does not list.
var newerThanTshark = map[string]bool{"encrypted_client_hello": true, "application_settings": true}

// accountOf tells what this package made of a connection.
func accountOf(c *tlsdecrypt.Connection) *account {
	a := &account{}
	for _, m := range c.Messages {
		switch protected := m.Key.Secret != ""; {
		case m.Encrypted:
			a.closed(m.From, m.Type)
		case m.Handshake != nil:
			t := m.Handshake.Type
			if m.Handshake.IsHelloRetryRequest() {
				t = tlswire.TypeHelloRetryRequest
			}
			a.message(m.From, t, protected)
			a.fields(m.From, *m.Handshake, m.Handshake.Fields())
		case m.Alert != nil:
			a.alert(m.From, uint64(m.Alert.Level), uint64(m.Alert.Description), protected)
		case m.Type == tlswire.ContentTypeChangeCipherSpec:
			a.say(m.From, "change_cipher_spec")
		case m.HTTP != nil:
			head := entry{head: "http " + m.HTTP.Line}
			for _, h := range m.HTTP.Headers {
				head.fields = append(head.fields, h.Name+": "+h.Value)
			}
			a.http[m.From] = append(a.http[m.From], head)
		}
	}
	return a
}

func (a *account) fields(from tlswire.Side, h tlswire.Handshake, fields []tlswire.Field) {
	for _, f := range fields {
		name, ok := fieldNames[h.Name()+"/"+f.Name]
		if !ok {
			name, ok = fieldNames[f.Name]
		}
		value := h.Raw[f.Offset+f.Prefix : f.Offset+f.Length]
		if f.Name == "length" {
			value = h.Raw[1:tlswire.HandshakeHeaderLen]
		}
		extension := len(f.Fields) > 0 && f.Fields[0].Name == "extension_type" // of which f has the name
		if ok && !extension && (len(value) > 0 || fieldKinds[name] == asLength) {
			a.field(from, name+" "+fieldKinds[name].ours(value))
		}
		switch {
		case f.Name == "ASN.1Cert", f.Name == "cert_data": // compared by their bytes
		case newerThanTshark[f.Name]:
			data := f.Fields[1]
			data.Fields = nil
			a.fields(from, h, []tlswire.Field{f.Fields[0], data})
		default:
			a.fields(from, h, f.Fields)
		}
	}
}

// value is the first value of a field of tshark's name.
func (e entry) value(name string) string {
	for _, f := range e.fields {
		if value, ok := strings.CutPrefix(f, "tls.handshake."+name+" "); ok {
			return value
		}
	}
	return ""
}

// negotiated is what c should say was agreed on, as it follows from the fields of the messages.
func negotiated(c *tlsdecrypt.Connection, a *account) tlsdecrypt.Negotiated {
	n := tlsdecrypt.Negotiated{Resumption: c.Resumption, EarlyData: c.EarlyData}
	for _, e := range a.said[tlswire.SideClient] {
		if name := e.value("extensions_server_name"); name != "" {
			n.ServerName = name
		}
	}
	for _, e := range a.said[tlswire.SideServer] {
		set := func(name string, to func(uint64)) {
			if value := e.value(name); value != "" {
				to(number(value))
			}
		}
		switch kind, _, _ := strings.Cut(strings.TrimPrefix(e.head, "handshake "), " "); kind {
		case "hello_retry_request":
			n.Retried = true
			set("ciphersuite", func(v uint64) { n.CipherSuite = tlswire.CipherSuite(v) })
		case "server_hello":
			set("version", func(v uint64) { n.Version = tlswire.Version(v) })
			set("extensions.supported_version", func(v uint64) { n.Version = tlswire.Version(v) })
			set("ciphersuite", func(v uint64) { n.CipherSuite = tlswire.CipherSuite(v) })
			set("extensions_key_share_group", func(v uint64) { n.Group = tlswire.NamedGroup(v) })
			n.ALPN = e.value("extensions_alpn_str")
		case "encrypted_extensions":
			n.ALPN = e.value("extensions_alpn_str")
		case "server_key_exchange":
			set("server_named_curve", func(v uint64) { n.Group = tlswire.NamedGroup(v) })
		case "certificate_request":
			n.ClientAuth = true
		}
	}
	return n
}
