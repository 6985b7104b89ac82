package exercise

import (
	"context"
	"errors"
)

func (r *run) probe(ctx context.Context, s *Step) ([]string, error) {
	return nil, errors.ErrUnsupported
}
