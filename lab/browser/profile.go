package browser

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"mtlslab.example/lab/lab/private"
)

// Options are what a browser is given.
type Options struct {
	URL    *url.URL
	CA     string                                // PEM file of the CA that servers must have
	PKCS12 func(password string) ([]byte, error) // makes the client's certificate and key; nil: none
	KeyLog string                                // file that the TLS keys are appended to (SSLKEYLOGFILE); empty: none
}

// profile is the folder of one run of a browser.
type profile struct {
	dir    string // the browser's home; of mode 0700
	folder *private.TempDir
}

// path is the folder in which the browser keeps its profile.
func (p *profile) path() string { return filepath.Join(p.dir, "profile") }

// makeProfile fills a new folder. The caller removes it.
func (b *Browser) makeProfile(ctx context.Context, o Options) (p *profile, err error) {
	dir, err := private.MkdirTemp("", "browser")
	if err != nil {
		return nil, err
	}
	p = &profile{dir: dir.Path, folder: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.remove())
		}
	}()
	store := p.path()
	if b.Family == Chromium {
		store = filepath.Join(p.dir, ".pki", "nssdb")
		err = p.writeChromium(o.URL)
	} else {
		err = p.write("user.js", firefoxPreferences)
	}
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(store, 0o700); err != nil {
		return nil, err
	}
	return p, b.nss.fill(ctx, store, o)
}

// write makes a file in the profile.
func (p *profile) write(name, text string) error {
	file := filepath.Join(p.path(), name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return private.WriteFile(file, []byte(text))
}

// writeChromium has Chromium send whatever certificate it has to the server of
// u, without asking.
func (p *profile) writeChromium(u *url.URL) error {
	type object map[string]any
	origin := u.Scheme + "://" + u.Host + ",*"
	preferences, err := json.Marshal(object{"profile": object{"content_settings": object{"exceptions": object{
		"auto_select_certificate": object{origin: object{"setting": object{"filters": []object{{}}}}},
	}}}})
	if err != nil {
		return err
	}
	return p.write(filepath.Join("Default", "Preferences"), string(preferences))
}

// firefoxPreferences have Firefox send whatever certificate it has, without
// asking, use no certificates but those of its profile, and speak to nobody
// but the server.
const firefoxPreferences = `user_pref("security.default_personal_cert", "Select Automatically");
user_pref("security.osclientcerts.autoload", false);
user_pref("security.enterprise_roots.enabled", false);
user_pref("security.OCSP.enabled", 0);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.startup.page", 0);
user_pref("browser.warnOnQuit", false);
user_pref("browser.newtabpage.enabled", false);
user_pref("startup.homepage_welcome_url", "");
user_pref("termsofuse.bypassNotification", true);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("datareporting.policy.dataSubmissionPolicyBypassNotification", true);
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("app.update.auto", false);
user_pref("browser.safebrowsing.update.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.trr.mode", 5);
`

// fill makes an NSS database in store that trusts the CA and holds the
// client's certificate.
func (t nssTools) fill(ctx context.Context, store string, o Options) error {
	database := "sql:" + store
	if err := run(ctx, t.certutil, "-N", "-d", database, "--empty-password"); err != nil {
		return err
	}
	if err := run(ctx, t.certutil, "-A", "-d", database, "-n", "ca of servers", "-t", "C,,", "-a", "-i", o.CA); err != nil {
		return err
	}
	if o.PKCS12 == nil {
		return nil
	}
	password := rand.Text()
	p12, err := o.PKCS12(password)
	if err != nil {
		return err
	}
	file, passwordFile := filepath.Join(store, "client.p12"), filepath.Join(store, "password")
	defer os.Remove(file)
	defer os.Remove(passwordFile)
	if err := errors.Join(private.WriteFile(file, p12), private.WriteFile(passwordFile, []byte(password))); err != nil {
		return err
	}
	return run(ctx, t.pk12util, "-i", file, "-d", database, "-w", passwordFile)
}

// run carries out one of NSS's programs.
func run(ctx context.Context, program string, args ...string) error {
	output, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return &ExitError{Program: filepath.Base(program), Err: err, Output: string(output)}
	}
	return nil
}

// environment is this process's with the user's folders replaced by the
// profile's, where browsers go by them, and the key log.
func (p *profile) environment(keyLog string) []string {
	env := os.Environ()
	set := func(name, value string) {
		env = append(env, name+"="+value) // the last one counts
	}
	set("SSLKEYLOGFILE", keyLog)
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return env
	}
	if os.Getenv("XAUTHORITY") == "" {
		set("XAUTHORITY", filepath.Join(os.Getenv("HOME"), ".Xauthority"))
	}
	set("HOME", p.dir)
	for name, folder := range map[string]string{"XDG_CONFIG_HOME": ".config", "XDG_CACHE_HOME": ".cache", "XDG_DATA_HOME": ".local/share"} {
		set(name, filepath.Join(p.dir, folder))
	}
	return env
}

// removal is how long dying processes may hold on to the profile.
const removal = 3 * time.Second

// remove deletes the profile, which a browser's last processes may still be
// writing to.
func (p *profile) remove() error {
	for deadline := time.Now().Add(removal); ; time.Sleep(50 * time.Millisecond) {
		err := p.folder.Remove()
		if _, gone := os.Lstat(p.dir); errors.Is(gone, fs.ErrNotExist) {
			return nil
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}
