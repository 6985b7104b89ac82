package probe

import (
	"cmp"
	"encoding/json"
	"io"
	"net/url"
	"slices"
)

// The parts of SARIF 2.1.0 (OASIS) that are written.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID    string     `json:"id"`
		Short sarifText  `json:"shortDescription"`
		Help  *sarifText `json:"help,omitempty"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifInvocation struct {
		Successful bool                `json:"executionSuccessful"`
		Notes      []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Kind         string             `json:"kind"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifLocation struct {
		Physical struct {
			Artifact struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
		} `json:"physicalLocation"`
	}
	sarifSuppression struct {
		Kind string `json:"kind"`
	}
)

// sarifKinds are the kind and the level of each judgement (SARIF sections
// 3.27.9 and 3.27.10): a level other than none is of kind fail alone.
var sarifKinds = map[Judgement][2]string{
	Right: {"pass", "none"}, Wrong: {"fail", "error"}, Warning: {"fail", "warning"}, Unknown: {"open", "none"}, Left: {"notApplicable", "none"},
}

// WriteSARIF writes the report as SARIF 2.1.0. version is the lab's.
func (r *Report) WriteSARIF(w io.Writer, version string) error {
	driver := sarifDriver{Name: reportTool, Version: version, Rules: []sarifRule{}}
	run := sarifRun{Invocations: []sarifInvocation{{Successful: r.Error == ""}}, Results: []sarifResult{}}
	if r.Error != "" {
		run.Invocations[0].Notes = []sarifNotification{{Level: "error", Message: sarifText{joinNonEmpty(r.Error, r.Hint)}}}
	}
	for _, f := range r.Findings {
		rule := slices.IndexFunc(driver.Rules, func(known sarifRule) bool { return known.ID == f.Case })
		if rule < 0 {
			rule = len(driver.Rules)
			driver.Rules = append(driver.Rules, sarifRule{ID: f.Case, Short: sarifText{cmp.Or(f.Title, f.Case)}})
		}
		if known := &driver.Rules[rule]; known.Help == nil && f.Fix != "" {
			known.Help = &sarifText{f.explained()}
		}
		run.Results = append(run.Results, r.sarifResult(f, rule))
	}
	run.Tool.Driver = driver
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

func (r *Report) sarifResult(f *Finding, rule int) sarifResult {
	s := sarifResult{RuleID: f.Case, RuleIndex: rule, Kind: sarifKinds[f.Judgement][0], Level: sarifKinds[f.Judgement][1],
		Fingerprints: map[string]string{"probe/v1": joinNonEmpty(r.Target, f.Case, f.TLS, f.Peer)}}
	s.Message.Text = joinNonEmpty(f.TLS, f.Title+": "+f.Words(), f.explained())
	s.Locations = make([]sarifLocation, 1)
	s.Locations[0].Physical.Artifact.URI = r.uri()
	if f.Accepted {
		s.Suppressions = []sarifSuppression{{Kind: "external"}}
	}
	return s
}

// uri returns the target as a URI reference (RFC 3986 section 4.1), which a
// command line is not.
func (r *Report) uri() string {
	if r.Probe == "client" {
		return (&url.URL{Path: r.Target}).String()
	}
	return r.Target
}

// joinNonEmpty joins what there is.
func joinNonEmpty(parts ...string) (joined string) {
	for _, part := range parts {
		switch {
		case part == "":
		case joined == "":
			joined = part
		default:
			joined += "; " + part
		}
	}
	return joined
}
