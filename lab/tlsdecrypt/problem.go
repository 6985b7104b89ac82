package tlsdecrypt

import "mtlslab.example/lab/lab/endpoint"

// problem notes what cannot be seen, each once.
func (c *Connection) problem(from endpoint.Side, offset int64, text string) {
	for _, p := range c.Problems {
		if p.From == from && p.Text == text {
			return
		}
	}
	if len(c.Problems) < maxProblems {
		c.Problems = append(c.Problems, Problem{From: from, Offset: offset, Text: text})
	}
}

// problemUntilTLS notes what is a problem unless TLS begins later.
func (c *Connection) problemUntilTLS(from endpoint.Side, offset int64, text string) {
	if n := len(c.Problems); n < maxProblems {
		if c.problem(from, offset, text); len(c.Problems) > n {
			c.Problems[n].untilTLS = true
		}
	}
}
