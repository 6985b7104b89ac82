package exercise

import "testing"

// A certificate is found by its name in whatever way its document is written.
func TestNameOf(t *testing.T) {
	for _, text := range []string{
		"subject: CN=api\nissuer: CN=ca\n",
		"{subject: CN=api, issuer: CN=ca}\n",
		"issuer:\n  CN=ca\nsubject: CN=other\nfilename: api\n",
	} {
		documents, err := manifestNodes([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if name := nameOf(documents[0]); name != "api" {
			t.Errorf("%q is the certificate %q", text, name)
		}
	}
}
