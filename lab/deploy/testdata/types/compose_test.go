package types

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// The compose file is of compose's schema, its services have no privileges, and
// the manifest comes out as it went in.
func TestCompose(t *testing.T) {
	for _, file := range files(t, ".compose.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		details := types.ConfigDetails{WorkingDir: t.TempDir(), ConfigFiles: []types.ConfigFile{{Filename: filepath.Base(file), Content: data}}}
		project, err := loader.LoadWithContext(context.Background(), details)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if names := project.ServiceNames(); !slices.Equal(names, []string{"client", "pki", "server"}) {
			t.Errorf("%s: services %q", file, names)
		}
		for name, s := range project.Services {
			if !s.ReadOnly || s.User != "65532:65532" || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.MemLimit == 0 {
				t.Errorf("%s: %s may do more than it needs: %+v", file, name, s)
			}
			for _, p := range s.Ports {
				if p.HostIP != "127.0.0.1" {
					t.Errorf("%s: %s is open to other machines: %+v", file, name, p)
				}
			}
		}
		if project.Services["server"].HealthCheck == nil || project.Services["client"].DependsOn["server"].Condition != types.ServiceConditionHealthy {
			t.Errorf("%s: the client does not wait for the server's health", file)
		}
		want, err := os.ReadFile(file + ".certs")
		if err != nil {
			t.Fatal(err)
		}
		if got := project.Configs["manifest"].Content; got != string(want) {
			t.Errorf("%s: the manifest is\n%q\nand was\n%q", file, got, want)
		}
	}
}
