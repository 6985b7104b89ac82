package certgen

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/certgen/yamldoc"
)

// complete fills in the defaults of a document and checks what depends on more
// than one of its fields.
func (d *document) complete() error {
	for _, step := range []func() error{d.completeNames, d.completeCA, d.completeKey, d.checkDates} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

const subjectHint = `write for example CN=server,O=Company, with \ before any of , + " \ < > ; in a value; ` +
	`types are CN, O, OU, C, L, ST, STREET, postalCode, serialNumber, DC, UID, emailAddress and the others of RFC 4519, or an OID such as 2.5.4.97`

// completeNames parses the subject and settles the file name.
func (d *document) completeNames() error {
	c := d.certificate
	if c.Subject == "" && c.Name == "" {
		return d.fault("subject", "write for example subject: CN=server", "the certificate has no subject")
	}
	var err error
	if c.subject, err = parseSubject(c.Subject); err != nil {
		return d.fault("subject", subjectHint, "%s is not a distinguished name: %v", yamldoc.Quoted(c.Subject), err)
	}
	if c.Name != "" {
		if problem := checkName(c.Name); problem != "" {
			return d.fault("filename", "write a name only: files are always in the PKI's own folder", "the file name %s %s", yamldoc.Quoted(c.Name), problem)
		}
		return nil
	}
	c.Name = c.subject.commonName
	if c.Name == "" {
		return d.fault("subject", "add CN= to the subject, or a line such as filename: server", "the subject has no CN to name the files after")
	}
	if problem := checkName(c.Name); problem != "" {
		return d.fault("subject", "add a line such as filename: server", "the files cannot be called %s after the CN: it %s", yamldoc.Quoted(c.Name), problem)
	}
	return nil
}

// completeCA settles what the certificate may be used for.
func (d *document) completeCA() error {
	c := d.certificate
	selfSigned := d.issuer == ""
	if n := d.fields["ca"]; n == nil || yamldoc.IsNull(n) {
		c.CA = selfSigned
	}
	if c.KeyUsage == 0 {
		c.KeyUsage = x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature
		if c.CA {
			c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		}
	}
	if c.Revoked && selfSigned {
		return d.fault("revoked", "remove revoked, or add the issuer whose CRL shall list it", "a self-signed certificate cannot be revoked: it has no issuer")
	}
	return nil
}

// completeKey settles the key size and checks that Go can make such a key.
func (d *document) completeKey() error {
	c := d.certificate
	standard := map[KeyType]int{EC: 256, RSA: 2048, Ed25519: 256}
	if c.KeySize == 0 {
		c.KeySize = standard[c.KeyType]
	}
	var possible bool
	var hint string
	switch c.KeyType {
	case EC:
		possible, hint = slices.Contains([]int{256, 384, 521}, c.KeySize), "write 256, 384 or 521"
	case RSA:
		possible, hint = c.KeySize >= 1024 && c.KeySize <= 16384, "write 2048 or 4096 (from 1024 to 16384)"
	case Ed25519:
		possible, hint = c.KeySize == 256, "write 256, or nothing"
	}
	if !possible {
		return d.fault("key_size", hint, "a key of type %s cannot have %d bits", c.KeyType, c.KeySize)
	}
	return nil
}

// checkDates refuses a validity that ends before it begins or cannot be
// encoded (RFC 5280 section 4.1.2.5).
func (d *document) checkDates() error {
	c := d.certificate
	switch {
	case c.NotBefore.IsZero():
	case c.NotAfter.IsZero():
		if c.NotBefore.Add(c.Expires).Year() > 9999 {
			return d.fault("not_before", "write an earlier not_before or a shorter expires", "the certificate would be valid beyond the year 9999")
		}
	case !c.NotAfter.After(c.NotBefore):
		return d.fault("not_after", "write a date after "+c.NotBefore.Format(time.RFC3339), "not_after is not after not_before")
	}
	return nil
}

// claimFiles gives every certificate its files and refuses a file that two
// would write. Names that differ in case only are one file on some systems.
func claimFiles(documents []*document) (map[string]*Certificate, error) {
	byName := make(map[string]*Certificate, len(documents))
	owners := make(map[string]*Certificate, 2*len(documents))
	for _, d := range documents {
		c := d.certificate
		files := []string{c.CertificateFile(), c.KeyFile()}
		if c.CA {
			files = append(files, c.CRLFile())
		}
		for _, file := range files {
			owner := owners[strings.ToLower(file)]
			if owner != nil {
				field := "filename"
				if n := d.fields[field]; n == nil || yamldoc.IsNull(n) || n.Value == "" {
					field = "subject"
				}
				return nil, d.fault(field, fmt.Sprintf("add a line such as filename: %s-2", c.Name[:min(len(c.Name), 60)]),
					"%s would be written twice: the certificate on line %d has it too", yamldoc.Quoted(file), owner.Line)
			}
			owners[strings.ToLower(file)] = c
		}
		byName[c.Name] = c
	}
	return byName, nil
}

// namesakes are the certificates of one subject, in the order of the manifest.
type namesakes struct {
	all         []*Certificate
	authorities []*Certificate
}

// linkIssuers finds every certificate's issuer.
func linkIssuers(documents []*document) error {
	bySubject := make(map[string]*namesakes, len(documents))
	for _, d := range documents {
		c := d.certificate
		same := bySubject[string(c.subject.der)]
		if same == nil {
			same = new(namesakes)
			bySubject[string(c.subject.der)] = same
		}
		same.all = append(same.all, c)
		if c.CA {
			same.authorities = append(same.authorities, c)
		}
	}
	byText := make(map[string]*namesakes) // many have the same issuer, written the same
	for _, d := range documents {
		if err := d.linkIssuer(byText, bySubject, documents); err != nil {
			return err
		}
	}
	return checkCycles(documents)
}

// linkIssuer sets the issuer of one certificate.
func (d *document) linkIssuer(byText, bySubject map[string]*namesakes, documents []*document) error {
	if d.issuer == "" {
		return nil
	}
	same := byText[d.issuer]
	if same == nil {
		issuer, err := parseSubject(d.issuer)
		if err != nil {
			return d.fault("issuer", "write the subject of the issuing certificate, for example CN=my-ca", "%s is not a distinguished name: %v", yamldoc.Quoted(d.issuer), err)
		}
		if same = bySubject[string(issuer.der)]; same == nil {
			return d.fault("issuer", issuerHint(d.issuer, documents), "the issuer %s is not in the manifest", yamldoc.Quoted(d.issuer))
		}
		byText[d.issuer] = same
	}
	if d.certificate.Issuer = same.authorityFor(d.certificate); d.certificate.Issuer == nil {
		return d.noAuthority(same)
	}
	return d.checkRevocation()
}

// authorityFor returns the nearest CA before c, or else the first after it, or
// nil. A certificate is not its own issuer: that is said by naming none.
func (n *namesakes) authorityFor(c *Certificate) *Certificate {
	at, isAuthority := slices.BinarySearchFunc(n.authorities, c.index,
		func(a *Certificate, index int) int { return a.index - index })
	if at > 0 {
		return n.authorities[at-1]
	}
	if isAuthority {
		at++
	}
	if at < len(n.authorities) {
		return n.authorities[at]
	}
	return nil
}

// noAuthority says why none of the certificates of a subject can be issuer.
func (d *document) noAuthority(same *namesakes) error {
	for _, other := range same.all {
		if other != d.certificate {
			return d.fault("issuer", fmt.Sprintf("add ca: true to the certificate on line %d", other.Line), "the issuer %s is not a CA", yamldoc.Quoted(d.issuer))
		}
	}
	return d.fault("issuer", "leave out issuer to have it sign itself", "the certificate is its own issuer")
}

// issuerHint names the CA that was probably meant.
func issuerHint(issuer string, documents []*document) string {
	var subjects []string
	for _, d := range documents {
		if d.certificate.CA {
			subjects = append(subjects, d.certificate.Subject)
		}
	}
	if near := spell.Nearest(issuer, subjects); len(near) > 0 {
		return "did you mean " + near[0] + "?"
	}
	return "write the subject of a CA of this manifest, or add a document with subject: " + issuer[:min(len(issuer), 60)]
}

// checkRevocation refuses a revocation that the issuer may not sign.
func (d *document) checkRevocation() error {
	c := d.certificate
	if c.Revoked && c.Issuer.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return d.fault("revoked", fmt.Sprintf("add CRLSign to the key_usages on line %d", c.Issuer.Line),
			"the issuer %s may not sign a CRL", yamldoc.Quoted(c.Issuer.Name))
	}
	return nil
}

// checkCycles refuses certificates that are issued, in the end, by themselves,
// and sets how far from its root each of the others stands.
func checkCycles(documents []*document) error {
	settled := make([]bool, len(documents)) // known to lead to a self-signed certificate
	for _, d := range documents {
		var path []*Certificate
		onPath := map[*Certificate]bool{}
		for c := d.certificate; c != nil && !settled[c.index]; c = c.Issuer {
			if onPath[c] {
				return documents[c.index].fault("issuer", "let one of them have no issuer, to be the root", "the issuers go round in a circle: %s", circle(path, c))
			}
			onPath[c] = true
			path = append(path, c)
		}
		for _, c := range slices.Backward(path) {
			settled[c.index] = true
			if c.Issuer != nil {
				c.depth = c.Issuer.depth + 1
			}
		}
	}
	return nil
}

// circle writes the part of a path that begins at c as "a < b < a".
func circle(path []*Certificate, c *Certificate) string {
	var names []string
	for _, p := range path[slices.Index(path, c):] {
		names = append(names, yamldoc.Quoted(p.Name))
	}
	if len(names) > 5 {
		names = append(names[:5], "…")
	}
	return strings.Join(append(names, yamldoc.Quoted(c.Name)), " < ")
}
