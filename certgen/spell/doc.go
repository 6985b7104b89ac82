// Package spell finds the known names that a mistyped one may stand for.
package spell
