package types

import (
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// restricted says why Pod Security admission refuses a pod in a namespace that
// is restricted; "": it does not.
func restricted(t *testing.T, p core.PodTemplateSpec) string {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &p.ObjectMeta, &p.Spec))
	if result.Allowed {
		return ""
	}
	return result.ForbiddenDetail()
}

// Every pod may run where Pod Security is restricted, has bounds, and is what
// it takes: a pod that breaks one of the rules is refused by it.
func TestRestricted(t *testing.T) {
	rules := []struct {
		broken func(*core.PodSpec)
		by     string
	}{
		{func(s *core.PodSpec) { s.HostNetwork = true }, "host namespaces"},
		{func(s *core.PodSpec) { s.SecurityContext.RunAsNonRoot = nil }, "runAsNonRoot"},
		{func(s *core.PodSpec) { s.SecurityContext.RunAsUser = new(int64) }, "runAsUser=0"},
		{func(s *core.PodSpec) { s.SecurityContext.SeccompProfile = nil }, "seccompProfile"},
		{func(s *core.PodSpec) { s.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil }, "allowPrivilegeEscalation"},
		{func(s *core.PodSpec) { s.Containers[0].SecurityContext.Capabilities = nil }, "unrestricted capabilities"},
		{func(s *core.PodSpec) { s.Containers[0].SecurityContext.Privileged = &[]bool{true}[0] }, "privileged"},
		{func(s *core.PodSpec) {
			s.Volumes = append(s.Volumes, core.Volume{Name: "host", VolumeSource: core.VolumeSource{HostPath: &core.HostPathVolumeSource{Path: "/"}}})
		}, "hostPath"},
	}
	for _, file := range files(t, ".k8s.yaml") {
		for _, p := range podsOf(decode(t, file)) {
			if why := restricted(t, p.spec); why != "" {
				t.Errorf("%s: %s: %s", file, p.of, why)
			}
			for _, rule := range rules {
				changed := *p.spec.DeepCopy()
				if rule.broken(&changed.Spec); !strings.Contains(restricted(t, changed), rule.by) {
					t.Errorf("%s: %s: %q, not %q", file, p.of, restricted(t, changed), rule.by)
				}
			}
			for _, c := range p.spec.Spec.Containers {
				if !*c.SecurityContext.ReadOnlyRootFilesystem || *p.spec.Spec.AutomountServiceAccountToken {
					t.Errorf("%s: %s: a root file system to write to, or a token of the API", file, p.of)
				}
				if c.Resources.Limits.Memory().IsZero() || c.Resources.Limits.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() {
					t.Errorf("%s: %s has no bounds", file, p.of)
				}
			}
		}
	}
}
