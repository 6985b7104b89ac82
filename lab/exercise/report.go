package exercise

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mtlslab.example/lab/certgen/atomicfile"
	"mtlslab.example/lab/lab/room"
)

// reportFile has the URL that reports go to, beside the progress.
const reportFile = "report-to"

func (c Course) reportFile() string { return filepath.Join(c.dir(), progressFolder, reportFile) }

// ReportTo returns the URL of the trainer's server to which reports of the
// progress go; "": there are none.
func (c Course) ReportTo() (string, error) {
	text, err := os.ReadFile(c.reportFile())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// SetReportTo has reports sent to that URL from now on; "": to none.
func (c Course) SetReportTo(url string) error {
	if url == "" {
		if err := os.Remove(c.reportFile()); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(c.reportFile()), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(c.reportFile(), []byte(url+"\n"), 0o644)
}

// Report returns what the trainer sees of the work: the exercise, how many
// hints were asked for, and how many exercises are solved.
func (w *Work) Report() (room.Report, error) {
	r := room.Report{Exercise: w.Name(), Hints: w.Progress.Hints, Solved: w.Progress.Solved != nil, GaveUp: w.GaveUp}
	all, err := w.course.all()
	for _, p := range all {
		if p.Solved != nil {
			r.Total++
		}
	}
	return r, err
}
