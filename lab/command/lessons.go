package command

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"

	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/web"
)

// lessons are the scenarios, for the live view. They run in the folder, as with
// lab scenario run.
type lessons struct {
	*Program
	folder folder
}

// Find implements web.Lessons.
func (l *lessons) Find(message string) (found []json.RawMessage, err error) {
	all := scenario.Search(message).Scenarios
	if message == "" {
		if all, err = scenario.All(); err != nil {
			return nil, err
		}
	}
	for _, s := range all {
		found = append(found, bytes.TrimSpace(l.encoded(listed(s))))
	}
	return found, nil
}

// Run implements web.Lessons.
func (l *lessons) Run(ctx context.Context, name, version string) (*web.Exchange, error) {
	all, err := scenario.All() // a name from a browser is no file
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		for _, v := range s.Versions() {
			if s.Name == name && tls.VersionName(v) == version {
				return l.run(ctx, s, v)
			}
		}
	}
	return nil, fmt.Errorf("there is no lesson %s with %s", name, version)
}

func (l *lessons) run(ctx context.Context, s *scenario.Scenario, version uint16) (*web.Exchange, error) {
	r, err := s.Run(ctx, version, scenario.Options{Manifest: l.Manifest, Dir: string(l.folder), Keep: web.KeepBytes})
	if err != nil {
		return nil, err
	}
	trust, err := trustOf(s.Certs(l.folder.certs()), trustsOf(r, l.folder))
	if err != nil {
		return nil, err
	}
	return &web.Exchange{Exchange: r.Exchange, Trust: trust, Ladder: ladder.Options{Title: s.Name + ", " + tls.VersionName(version)}}, nil
}
