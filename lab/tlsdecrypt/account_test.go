package tlsdecrypt_test

import (
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// account is what was said on a connection by each side: handshake messages,
// alerts and the like, and HTTP, which tshark lists last of a packet.
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

func (a *account) say(from endpoint.Side, head string) {
	a.said[from] = append(a.said[from], entry{head: head})
}

// field adds a field to the last message.
func (a *account) field(from endpoint.Side, field string) {
	last := &a.said[from][len(a.said[from])-1]
	last.fields = append(last.fields, field)
}

func (a *account) message(from endpoint.Side, t tlswire.HandshakeType, protected bool) {
	a.say(from, "handshake "+t.String()+lock(protected))
}

func (a *account) alert(from endpoint.Side, level, description uint64, protected bool) {
	a.say(from, fmt.Sprintf("alert %d %d%s", level, description, lock(protected)))
}

// closed notes a record that cannot be read, several in a row once.
func (a *account) closed(from endpoint.Side, t tlswire.ContentType) {
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

// accountOf lists what this package read of a connection.
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

func (a *account) fields(from endpoint.Side, h tlswire.Handshake, fields []tlswire.Field) {
	for _, f := range fields {
		name, ok := fieldNames[h.Name()+"/"+f.Name]
		if !ok {
			name, ok = fieldNames[f.Name]
		}
		value := h.Raw[f.Offset+f.Prefix : f.Offset+f.Length]
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

// negotiated is what c should say was agreed on, as it follows from the fields
// of the messages.
func negotiated(c *tlsdecrypt.Connection, a *account) tlsdecrypt.Negotiated {
	n := tlsdecrypt.Negotiated{Resumption: c.Resumption, EarlyData: c.EarlyData}
	for _, e := range a.said[endpoint.Client] {
		if name := e.value("extensions_server_name"); name != "" {
			n.ServerName = name
		}
	}
	for _, e := range a.said[endpoint.Server] {
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
