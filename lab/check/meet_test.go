package check

import (
	"context"
	"crypto/tls"
	"os"
	"regexp"
	"testing"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/verdict"
)

// summary is what two runs of the same handshake must agree in. Ports differ,
// and whether a client of TLS 1.3 has sent its request when the refusal arrives
// is a matter of luck.
type summary struct {
	Outcome, RejectedBy, Code, Alert string
	Reason, Fix                      string
	Server, Client                   lab.Party
	Status                           int
}

var (
	ports     = regexp.MustCompile(`localhost:\d+`)
	addresses = regexp.MustCompile(`^read tcp [^ ]* `)
	clocks    = regexp.MustCompile(`current time \S+`)
)

func summaryOf(x *lab.Exchange) summary {
	s := summary{Outcome: string(x.Outcome), RejectedBy: x.RejectedBy.String(), Code: string(x.Code), Reason: x.Reason, Fix: x.Fix, Server: x.Server, Client: x.Client}
	s.Reason = ports.ReplaceAllString(s.Reason, "localhost:PORT")
	for _, side := range []*lab.Party{&s.Server, &s.Client} {
		side.Error = clocks.ReplaceAllString(addresses.ReplaceAllString(side.Error, ""), "current time NOW")
		if side.State == verdict.StateRequestSent {
			side.State = verdict.StateComplete
		}
	}
	if x.Alert != nil {
		s.Alert = x.Alert.Name
	}
	if x.HTTP != nil {
		s.Status = x.HTTP.Status
	}
	return s
}

// Every scenario ends in memory as it does over TCP: the same outcome, side,
// alert, reason, and views of both sides.
func TestMeetAgreesWithTheRealHandshake(t *testing.T) {
	all, err := scenario.All()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile("../../certs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	o := scenario.Options{Manifest: manifest, Dir: t.TempDir()}
	certs := o.Dir + "/certs"
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			for _, version := range s.Versions() {
				real, err := s.Run(context.Background(), version, o)
				if err != nil {
					t.Fatal(err)
				}
				server, err := s.ServerSettings(certs, version)
				if err != nil {
					t.Fatal(err)
				}
				client, err := s.ClientSettings(certs, version)
				if err != nil {
					t.Fatal(err)
				}
				calls := s.Calls
				if s.Then != nil { // the files have changed since; it is their last state
					calls = 1
					if s.Then.Client != "" {
						client.Certificate = s.Then.Client
					}
				}
				inMemory, err := meet(context.Background(), server, client, s.ClientOptions("127.0.0.1:8443"), calls)
				if err != nil {
					t.Fatal(err)
				}
				got, want := summaryOf(inMemory[len(inMemory)-1]), summaryOf(real.Exchange)
				if got != want {
					t.Errorf("%s:\n got %+v\nwant %+v", tls.VersionName(version), got, want)
				}
			}
		})
	}
}
