package exercise

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/text"
)

// values are what differs from folder to folder: "token", "serial NAME" and
// "stream LABEL", which are answers, and "key NAME" of a CA. They are kept with
// the progress, sealed.
type values map[string]string

// sealing is the key of what is kept. It is no secret: who wants to cheat can.
// It only keeps answers from being read by who looks at the file.
var sealing = sha256.Sum256([]byte("lab exercise: answers are sealed, so that nobody reads them by chance"))

// MarshalJSON seals the values (AES-256-GCM, a nonce before it).
func (v values) MarshalJSON() ([]byte, error) {
	plain, err := json.Marshal(map[string]string(v))
	if err != nil {
		return nil, err
	}
	return json.Marshal(seal().Seal(nil, nil, plain, nil))
}

// UnmarshalJSON opens what MarshalJSON has sealed.
func (v *values) UnmarshalJSON(text []byte) error {
	var sealed []byte
	if err := json.Unmarshal(text, &sealed); err != nil {
		return err
	}
	plain, err := seal().Open(nil, nil, sealed, nil)
	if err != nil {
		return errors.New("values were changed")
	}
	return json.Unmarshal(plain, (*map[string]string)(v))
}

// seal returns what seals values, each time under a nonce of its own.
func seal() cipher.AEAD {
	block, _ := aes.NewCipher(sealing[:])            // of that length there is one
	sealed, _ := cipher.NewGCMWithRandomNonce(block) // and for AES it has one
	return sealed
}

// newValues returns values with a new token.
func newValues() values { return values{"token": strings.ToLower(rand.Text()[:10])} }

// stream notes the number of a recorded call, from 0, as lab explain has it.
func (v values) stream(label string, number int) {
	if label != "" {
		v["stream "+label] = fmt.Sprint(number)
	}
}

// serials notes the serial numbers of all certificates of a run.
func (v values) serials(r *run) {
	pairs, _ := r.pairs(false)
	for name, pair := range pairs.Pairs {
		v["serial "+name] = dn.Serial(pair.Leaf)
	}
}

// noteKeys notes the keys of CAs, by their names.
func (v values) noteKeys(keys map[string]string) {
	for name, key := range keys {
		v["key "+name] = key
	}
}

// otherCAs are those of keys that had another key at the start.
func (v values) otherCAs(keys map[string]string) (names []string) {
	for name, key := range keys {
		if before, ok := v["key "+name]; ok && before != key {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// keysOfCAs identifies the keys of the CAs in an exercise's folder, by name.
func (e *Exercise) keysOfCAs(dir string) map[string]string {
	keys := map[string]string{}
	m, err := e.Manifest()
	if err != nil { // Parse has looked
		return nil
	}
	for _, c := range m.Certificates {
		if !c.CA || e.isHidden(c.Name) {
			continue
		}
		if loaded, err := certgen.LoadCertificates(filepath.Join(dir, certsFolder), c.Name); err == nil {
			keys[c.Name] = fmt.Sprintf("%x", chain.KeySum(loaded[0]))
		}
	}
	return keys
}

var placeholder = text.Pattern(`\{(token|serial [a-z0-9-]+|stream [a-z0-9-]+)\}`)

// fill puts values in the place of what stands for them.
func (v values) fill(s string) string {
	if !strings.Contains(s, "{") {
		return s
	}
	return placeholder().ReplaceAllStringFunc(s, func(found string) string {
		if value, ok := v[strings.Trim(found, "{}")]; ok {
			return value
		}
		return found
	})
}
