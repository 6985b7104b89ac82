package certgen

import (
	"crypto/x509"
	"maps"
	"slices"
)

// KeyUsages returns the names of the key usages, in the order of their bits.
func (c *Certificate) KeyUsages() []string {
	names := slices.SortedFunc(maps.Keys(keyUsages), func(a, b string) int { return int(keyUsages[a]) - int(keyUsages[b]) })
	return slices.DeleteFunc(names, func(name string) bool { return c.KeyUsage&keyUsages[name] == 0 })
}

// ExtKeyUsages returns the names of the extended key usages, in the order of
// the manifest.
func (c *Certificate) ExtKeyUsages() []string {
	byValue := make(map[x509.ExtKeyUsage]string, len(extKeyUsages))
	for name, value := range extKeyUsages {
		byValue[value] = name
	}
	names := make([]string, len(c.ExtKeyUsage))
	for i, usage := range c.ExtKeyUsage {
		names[i] = byValue[usage]
	}
	return names
}
