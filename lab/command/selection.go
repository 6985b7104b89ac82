package command

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/lab/selection"
	"mtlslab.example/lab/lab/text"
)

// selectionFlags choose connections.
func selectionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "from", Usage: "only connections opened at `TIME` or later: 02:14, '2026-01-02 02:14', or with a zone, 2026-01-02T02:14:05Z"},
		&cli.StringFlag{Name: "to", Usage: "only those opened before `TIME`"},
		&cli.StringSliceFlag{Name: "where", Usage: "only those with `KEY=VALUE`: addr, name, code, outcome or status; given several times, all must hold"},
	}
}

// selectionOf reads the flags.
func selectionOf(c *cli.Context) (s *selection.Selection, err error) {
	s = &selection.Selection{}
	for flag, moment := range map[string]*selection.Moment{"from": &s.From, "to": &s.To} {
		if !c.IsSet(flag) {
			continue
		}
		if *moment, err = selection.ParseMoment(c.String(flag), time.Local); err != nil {
			return nil, &usageError{command: commandName(c), problem: fmt.Sprintf("--%s is %q: %v", flag, c.String(flag), err)}
		}
	}
	if from, to := s.Period(); !from.IsZero() && !to.IsZero() && !s.To.IsOfDay() && !from.Before(to) {
		return nil, &usageError{command: commandName(c), problem: "--from is not before --to: no connection can be between them"}
	}
	for _, given := range c.StringSlice("where") {
		condition, err := selection.ParseCondition(given)
		var key *selection.KeyError
		var value *selection.ValueError
		switch {
		case errors.As(err, &key):
			wrong := &usageError{command: commandName(c), problem: "--where takes KEY=VALUE, and " + err.Error()}
			for _, near := range spell.Nearest(key.Key, selection.Keys()) {
				wrong.nearest = append(wrong.nearest, "--where "+near+"=...")
			}
			return nil, wrong
		case errors.As(err, &value):
			wrong := &usageError{command: commandName(c), problem: "--where " + err.Error()}
			for _, near := range spell.Nearest(value.Value, selection.Values(value.Key)) {
				wrong.nearest = append(wrong.nearest, value.Key+"="+near)
			}
			return nil, wrong
		}
		s.Where = append(s.Where, condition)
	}
	return s, nil
}

// unselectedError reports that a capture has connections, and none of those
// that are wanted.
type unselectedError struct {
	file        string
	count       int       // of all connections
	first, last time.Time // of the packets
	wanted      *selection.Selection
}

func (e *unselectedError) Error() string {
	var wanted []string
	from, to := e.wanted.Period()
	for _, bound := range []struct {
		flag string
		at   time.Time
	}{{"--from", from}, {"--to", to}} {
		if !bound.at.IsZero() {
			wanted = append(wanted, bound.flag+" "+bound.at.Format(momentLayout))
		}
	}
	for _, condition := range e.wanted.Where {
		wanted = append(wanted, "--where "+condition.String())
	}
	return fmt.Sprintf("of the %s in %s none is wanted (%s)", text.Counted(e.count, "connection"), inputName(e.file), strings.Join(wanted, ", "))
}

func (e *unselectedError) hint() string {
	if e.wanted.From.IsSet() || e.wanted.To.IsSet() {
		return fmt.Sprintf("the packets are from %s to %s", e.first.Local().Format(momentLayout), e.last.Local().Format(momentLayout))
	}
	return "lab explain --list FILE shows all that there is"
}

// momentLayout is how times are written that --from and --to take.
const momentLayout = "2006-01-02 15:04:05 MST"
