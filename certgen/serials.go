package certgen

import (
	"crypto/rand"
	"math"
	"math/big"
	"strconv"
	"strings"

	"mtlslab.example/lab/certgen/yamldoc"
)

// serialOf is a serial number of one issuer, which may give it once only
// (RFC 5280 section 4.1.2.2).
type serialOf struct {
	issuer *Certificate
	serial string // decimal
}

// withSerial returns the serial number among those of the issuer of c, which is
// c itself when it is self-signed.
func (c *Certificate) withSerial(serial *big.Int) serialOf {
	if c.Issuer == nil {
		return serialOf{c, serial.String()}
	}
	return serialOf{c.Issuer, serial.String()}
}

// claimSerials returns the certificates whose serial number the manifest gives,
// and refuses one that an issuer would give twice. Issuers must have been
// linked.
func claimSerials(documents []*document) (map[serialOf]*Certificate, error) {
	claimed := map[serialOf]*Certificate{}
	lines := map[serialOf]int{}
	for _, d := range documents {
		c := d.certificate
		if c.Serial == nil {
			continue
		}
		key := c.withSerial(c.Serial)
		if other := claimed[key]; other != nil {
			return nil, d.fault("serial", "write another number, or leave serial out to have a random one",
				"the issuer %s would give the serial number %s twice: %s on line %d has it too", yamldoc.Quoted(key.issuer.Name), key.serial, yamldoc.Quoted(other.Name), lines[key])
		}
		claimed[key], lines[key] = c, d.Line(d.fields["serial"])
	}
	return claimed, nil
}

// examineSerials finds certificates whose serial number another one of their
// issuer has: given by the manifest, or as random as theirs. To revoke one
// would be to revoke the other.
func (f *folder) examineSerials() {
	seen := map[serialOf]bool{}
	for i, c := range f.manifest.Certificates {
		h := f.holdings[i]
		if h.leaf == nil || f.isPlanned(c) || c.Serial != nil {
			continue
		}
		key := c.withSerial(h.leaf.SerialNumber)
		if f.manifest.serials[key] != nil || seen[key] {
			f.reasons[i] = append(f.reasons[i], Reason{ReasonChanged, "changed: serial, which another certificate of its issuer has"})
		}
		seen[key] = true
	}
}

// newSerial returns a random serial number for c that the manifest gives to no
// other certificate of its issuer: 127 bits, positive, and unique among all
// that will ever be made.
func (m *Manifest) newSerial(c *Certificate) *big.Int {
	for {
		var octets [16]byte
		rand.Read(octets[:]) // never fails
		octets[0] &= 0x7f
		serial := new(big.Int).SetBytes(octets[:])
		if serial.Sign() > 0 && m.serials[c.withSerial(serial)] == nil {
			return serial
		}
	}
}

// wholeNumber reads an integer of YAML 1.1 in any of its bases, or a float that
// is whole: 1e3 is 1000.
func wholeNumber(text string) (*big.Int, bool) {
	if n, ok := new(big.Int).SetString(strings.ReplaceAll(text, "_", ""), 0); ok {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return nil, false
	}
	return big.NewInt(int64(f)), true
}
