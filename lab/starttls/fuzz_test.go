package starttls

import (
	"crypto/tls"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/text"
)

// Whatever the other side says, a talk comes to an end with what it says, and
// what is shown of it is clean and short.
func FuzzTalk(f *testing.F) {
	for _, says := range []string{
		"220 hello\r\n250-a\r\n250 STARTTLS\r\n220 go\r\n", "220 x\r\n234 go\r\n", "* OK hi\r\na1 OK go\r\n", "+OK hi\r\n+OK go\r\n",
		"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00", "S", "R\x00\x00\x00\x08\x00\x00\x00\x0a", message('E', "SFATAL\x00C28000\x00Mno\x00\x00"),
		"\x4a\x00\x00\x00\x0a5.5\x00\x01\x00\x00\x00aaaaaaaa\x00\xff\xff", "\x14\x00\x00\x03\xff\x15\x04#28000Access deni",
		"<stream:stream><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features><proceed/>",
		"EHLO me\r\nSTARTTLS\r\n", "\x00\x00\x00\x08\x04\xd2\x16\x2f\x00\x00\x00\x08\x00\x03\x00\x00Q\x00\x00\x00\x05\x00X\x00\x00\x00\x04",
	} {
		f.Add([]byte(says))
	}
	f.Fuzz(func(t *testing.T, says []byte) {
		for _, p := range protocols {
			hear := func() *talk {
				return &talk{rw: both{strings.NewReader(string(says)), &bounded{left: 1<<16 + 100*len(says)}}}
			}
			if err := named(p, p.begin(hear(), Session{Host: "a<b>.test", User: "me"})); err != nil {
				shown(t, err.Error())
			}
			a, err := p.ask(hear(), Session{Host: "a.test", User: "me"})
			a = a.shown()
			shown(t, a.Text)
			shown(t, a.Refusal)
			if err = named(p, err); err != nil {
				shown(t, err.Error())
			}
			if p.serve != nil {
				_ = p.serve.begin(hear())
				_ = p.serve.talk(hear(), tls.ConnectionState{})
			}
		}
	})
}

func shown(t *testing.T, said string) {
	if !text.IsClean(said) || len(said) > 8<<10 {
		t.Errorf("%d bytes: %.200q", len(said), said)
	}
}

// bounded takes no more than so many bytes.
type bounded struct{ left int }

func (b *bounded) Write(data []byte) (int, error) {
	if b.left -= len(data); b.left < 0 {
		panic("more is said than the other side has asked for")
	}
	return len(data), nil
}
