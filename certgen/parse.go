package certgen

import (
	"context"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen/yamldoc"
)

// document is one document of a manifest while it is being read.
type document struct {
	yamldoc.Document
	fields      map[string]*yaml.Node // values by field name
	certificate *Certificate
	issuer      string // as written; empty: self-signed
}

// Parse reads a manifest and checks all that can be checked without looking at
// the disk. The file name is used in messages only. Errors are *yamldoc.Error.
// Work and memory are linear in the size of data.
func Parse(file string, data []byte) (*Manifest, error) {
	read, err := yamldoc.Read(file, data)
	if err != nil {
		return nil, err
	}
	documents, err := decodeAll(read)
	if err != nil {
		return nil, err
	}
	return assemble(file, documents)
}

// decodeAll reads the certificates of documents, on all cores.
func decodeAll(read []yamldoc.Document) ([]*document, error) {
	documents := make([]*document, len(read))
	err := inParallel(context.Background(), len(read), func(i int) error {
		documents[i] = &document{Document: read[i]}
		return documents[i].decode()
	})
	return documents, err
}

// assemble makes a manifest of documents that have been decoded.
func assemble(file string, documents []*document) (*Manifest, error) {
	if len(documents) == 0 {
		return nil, &yamldoc.Error{File: file, Line: 1, Column: 1, Problem: "the manifest is empty",
			Hint: "write at least one document, for example: subject: CN=my-ca"}
	}
	m := &Manifest{File: file, Certificates: make([]*Certificate, len(documents))}
	for i, d := range documents {
		d.certificate.index = i
		m.Certificates[i] = d.certificate
	}
	var err error
	if m.byName, err = claimFiles(documents); err != nil {
		return nil, err
	}
	if err := linkIssuers(documents); err != nil {
		return nil, err
	}
	if m.serials, err = claimSerials(documents); err != nil {
		return nil, err
	}
	return m, nil
}

// decode fills in the certificate of the document.
func (d *document) decode() (err error) {
	if d.Root().Kind != yaml.MappingNode {
		return d.ErrorAt(d.Root(), "write fields, for example: subject: CN=server",
			"a document must be a mapping of fields, not %s", yamldoc.Describe(d.Root()))
	}
	d.certificate = &Certificate{Line: d.Line(d.Root()), KeyType: EC, Expires: DefaultLifetime}
	d.fields, err = yamldoc.Fields(d.Document, d.Root(), fieldSetters, func(set fieldSetter, value *yaml.Node) error {
		if yamldoc.IsNull(value) {
			return nil
		}
		return set(d, value)
	})
	if err != nil {
		return err
	}
	return d.complete()
}

// fault returns an error at the value of a field, or at the first field of the
// document when the field is not there.
func (d *document) fault(field, hint, format string, args ...any) error {
	n := d.fields[field]
	if n == nil {
		n = d.Root()
	}
	return d.ErrorAt(n, hint, format, args...)
}

// texts reads a list of texts.
func (d *document) texts(n *yaml.Node, read func(item *yaml.Node, text string) error) error {
	return d.Items(n, func(item *yaml.Node) error {
		text, err := d.Text(item)
		if err != nil {
			return err
		}
		return read(item, text)
	})
}
