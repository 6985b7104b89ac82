package probe

import (
	"bytes"
	"encoding/json"
	"io"
)

// reportTool is the name by which reports say that they are of lab probe.
const reportTool = "lab probe"

// IsReport reports whether r is a report that WriteJUnit or WriteSARIF has
// written, or empty. It reads at most 64 MiB.
func IsReport(r io.Reader) (bool, error) {
	data, err := io.ReadAll(io.LimitReader(r, 64<<20))
	if err != nil || len(data) == 0 {
		return err == nil, err
	}
	if bytes.HasPrefix(data, []byte(junitStart)) {
		return true, nil
	}
	var log sarifLog
	if json.Unmarshal(data, &log) != nil {
		return false, nil
	}
	return len(log.Runs) == 1 && log.Runs[0].Tool.Driver.Name == reportTool, nil
}
