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

// Prize makes the certificate of somebody who has solved all the exercises, by
// a CA of its own, and returns its file and whether it was made now. "" is not
// yet.
func (c Course) Prize(ctx context.Context, who string) (file string, isNew bool, err error) {
	number, err := c.solvedAll()
	if err != nil || number == 0 {
		return "", false, err
	}
	file = c.prizeFile()
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return file, false, err
	}
	m, err := certgen.Parse("prize", []byte(fmt.Sprintf(prizeManifest, subjectOf(who), number)))
	if err != nil {
		return "", false, err
	}
	_, err = certgen.Generate(ctx, m, filepath.Dir(file), certgen.Options{})
	return file, err == nil, err
}

// Won returns the file of the certificate if Prize has made it, else "".
func (c Course) Won() string {
	if number, err := c.solvedAll(); err != nil || number == 0 {
		return ""
	}
	if _, err := os.Stat(c.prizeFile()); err != nil {
		return ""
	}
	return c.prizeFile()
}

func (c Course) prizeFile() string { return filepath.Join(c.dir(), prizeFolder, "solved.pem") }

// solvedAll returns the number of exercises if all are solved, else 0.
func (c Course) solvedAll() (number int, err error) {
	all, err := All()
	if err != nil {
		return 0, err
	}
	for _, e := range all {
		p, err := c.Progress(e.Name)
		if err != nil || p == nil || p.Solved == nil {
			return 0, err
		}
	}
	return len(all), nil
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
