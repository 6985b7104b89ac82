package exercise

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mtlslab.example/lab/certgen"
)

// prizeFolder has the certificate of who has solved all, in [Folder].
const prizeFolder = "prize"

// Prize makes the certificate of somebody who has solved all the exercises, by a
// CA of its own, and returns its file and whether it was made now. "" is not
// yet.
func (c Course) Prize(ctx context.Context, who string) (file string, isNew bool, err error) {
	all, err := All()
	if err != nil {
		return "", false, err
	}
	for _, e := range all {
		p, err := c.Progress(e.Name)
		if err != nil || p == nil || p.Solved == nil {
			return "", false, err
		}
	}
	dir := filepath.Join(c.dir(), prizeFolder)
	file = filepath.Join(dir, "solved.pem")
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return file, false, err
	}
	m, err := certgen.Parse("prize", []byte(fmt.Sprintf(prizeManifest, subjectOf(who), len(all))))
	if err != nil {
		return "", false, err
	}
	_, err = certgen.Generate(ctx, m, dir, certgen.Options{})
	return file, err == nil, err
}

const prizeManifest = `subject: CN=lab exercises
filename: lab-exercises
---
subject: CN=%s,OU=all %d exercises solved,O=lab
filename: solved
issuer: CN=lab exercises
ext_key_usages: [ClientAuth]
`

// subjectOf returns the letters and digits of a user's name, for a subject.
func subjectOf(who string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '.', r == ' ':
			return r
		}
		return -1
	}, who)
	if name = strings.TrimSpace(name); name == "" {
		return "somebody"
	}
	return name[:min(len(name), 40)]
}
