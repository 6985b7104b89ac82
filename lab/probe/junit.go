package probe

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// junitStart is how reports in JUnit XML begin, up to what was probed.
const junitStart = xml.Header + "<testsuites>\n  <testsuite name=\"" + reportTool + " "

// WriteJUnit writes the report as JUnit XML, as Jenkins, GitLab and GitHub's
// actions read it: what is wrong is a failure, what is unknown an error, what
// was not tried or is accepted is skipped. Times are in seconds.
func (r *Report) WriteJUnit(w io.Writer) error {
	var cases strings.Builder
	tests, of := 0, make(map[string]int)
	add := func(name string, ms float64, element, content string) {
		tests++
		of[element]++
		fmt.Fprintf(&cases, "    <testcase classname=\"lab.probe\" name=\"%s\" time=\"%s\">\n      <%s%s</%s>\n    </testcase>\n",
			escaped(name), seconds(ms), element, content, element)
	}
	for _, f := range r.Findings {
		element, content := f.junit()
		add(f.junitName(), f.DurationMS, element, content)
	}
	if r.Error != "" {
		add("controls", 0, "error", junitProblem(string(Unknown), r.Error, r.Hint))
	}
	_, err := fmt.Fprintf(w, "%s%s\" tests=\"%d\" failures=\"%d\" errors=\"%d\" skipped=\"%d\" time=\"%s\" timestamp=\"%s\">\n%s  </testsuite>\n</testsuites>\n",
		junitStart, escaped(r.Target), tests, of["failure"], of["error"], of["skipped"], seconds(r.DurationMS), r.Time.UTC().Format("2006-01-02T15:04:05"), cases.String())
	return err
}

func (f *Finding) junitName() string {
	name := f.Case
	if f.TLS != "" {
		name += " (" + f.TLS + ")"
	}
	if f.Peer != "" {
		name += " by " + f.Peer
	}
	return name
}

// junit returns the element that says what was found, and what stands between
// its name and its end tag.
func (f *Finding) junit() (element, content string) {
	message := f.Title + ": " + f.Words()
	switch {
	case f.Fails():
		return "failure", junitProblem(string(f.Result), message, f.explained())
	case f.Judgement == Unknown:
		return "error", junitProblem(string(f.Result), message, f.explained())
	case f.Accepted:
		return "skipped", junitProblem(string(f.Result), "accepted: "+message, f.explained())
	case f.Judgement == Left:
		return "skipped", junitProblem("", f.Reason, "")
	case f.Judgement == Warning:
		message += "\n" + f.explained()
	}
	return "system-out", ">" + escaped(message)
}

func junitProblem(kind, message, text string) string {
	return fmt.Sprintf(" type=\"%s\" message=\"%s\">%s", escaped(kind), escaped(message), escaped(text))
}

// escaped returns a text for elements and attributes of XML.
func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // never fails
	return b.String()
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
