package probe

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// The elements of JUnit's XML, as Jenkins, GitLab and GitHub's actions read
// them. Times are in seconds.
type (
	junitSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		Suite   junitSuite
	}
	junitSuite struct {
		XMLName   xml.Name    `xml:"testsuite"`
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitProblem `xml:"failure"`
		Error   *junitProblem `xml:"error"`
		Skipped *junitProblem `xml:"skipped"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitProblem struct {
		Type    string `xml:"type,attr,omitempty"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the report as JUnit XML: what is wrong is a failure, what is
// unknown an error, what was not tried or is accepted is skipped.
func (r *Report) WriteJUnit(w io.Writer) error {
	suite := junitSuite{Name: reportTool + " " + r.Target, Time: seconds(r.DurationMS), Timestamp: r.Time.UTC().Format("2006-01-02T15:04:05")}
	for _, f := range r.Findings {
		suite.add(junitCaseOf(f))
	}
	if r.Error != "" {
		suite.add(junitCase{Class: "lab.probe", Name: "controls", Time: seconds(0), Error: &junitProblem{Type: string(Unknown), Message: r.Error, Text: r.Hint}})
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(junitSuites{Suite: suite}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(c junitCase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

func junitCaseOf(f *Finding) junitCase {
	c := junitCase{Class: "lab.probe", Name: f.Case, Time: seconds(f.DurationMS)}
	if f.TLS != "" {
		c.Name += " (" + f.TLS + ")"
	}
	if f.Peer != "" {
		c.Name += " by " + f.Peer
	}
	problem := &junitProblem{Type: string(f.Result), Message: f.Title + ": " + f.Words(), Text: f.explained()}
	switch {
	case f.Fails():
		c.Failure = problem
	case f.Judgement == Unknown:
		c.Error = problem
	case f.Accepted:
		problem.Message = "accepted: " + problem.Message
		c.Skipped = problem
	case f.Judgement == Left:
		c.Skipped = &junitProblem{Message: f.Reason}
	default:
		c.Out = problem.Message
		if f.Judgement == Warning {
			c.Out += "\n" + problem.Text
		}
	}
	return c
}

// explained says why, what to change and where to learn it, in lines.
func (f *Finding) explained() string {
	var lines []string
	for _, part := range []struct{ label, text string }{{"", f.Reason}, {"fix: ", f.Fix}, {"learn it from: lab scenario show ", f.Scenario}} {
		if part.text != "" {
			lines = append(lines, part.label+part.text)
		}
	}
	return strings.Join(lines, "\n")
}

func seconds(ms float64) string { return fmt.Sprintf("%.3f", ms/1000) }
