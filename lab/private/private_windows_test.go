package private_test

import (
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"

	"mtlslab.example/lab/lab/private"
)

// TestAccessLists: the user has all access to what is made or narrowed, and
// nobody else any.
func TestAccessLists(t *testing.T) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "private") // t.TempDir cannot be removed under Wine
	if err != nil {
		t.Fatal(err)
	}
	check := func(path string) {
		t.Helper()
		security, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
		if err != nil {
			t.Fatal(err)
		}
		list, _, err := security.DACL()
		if err != nil || list == nil || list.AceCount == 0 {
			t.Fatalf("%s has the access list %v, %v", path, security, err)
		}
		for i := range uint32(list.AceCount) {
			var entry *windows.ACCESS_ALLOWED_ACE
			if err := windows.GetAce(list, i, &entry); err != nil {
				t.Fatal(err)
			}
			who := (*windows.SID)(unsafe.Pointer(&entry.SidStart))
			if !who.Equals(user.User.Sid) && !who.IsWellKnown(windows.WinLocalSystemSid) { // which Wine adds
				t.Errorf("%s has the access list %v", path, security)
			}
		}
	}
	made := filepath.Join(dir, "made")
	if err := private.WriteFile(made, []byte("a secret")); err != nil {
		t.Fatal(err)
	}
	check(made)
	if data, err := os.ReadFile(made); err != nil || string(data) != "a secret" {
		t.Errorf("%q, %v", data, err)
	}
	loose := filepath.Join(dir, "loose")
	write(t, loose, "", 0o666)
	file, err := private.OpenFile(loose, os.O_RDWR|os.O_APPEND)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := private.Narrow(file); err != nil {
		t.Fatal(err)
	}
	check(loose)
	if _, err := file.WriteString("a secret"); err != nil {
		t.Error(err)
	}
}
