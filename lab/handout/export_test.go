package handout

// Spoil gives a hand-out a file that cannot be written.
func Spoil(h *Handout) { h.certs["no/such/folder.pem"] = nil }
