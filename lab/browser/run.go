package browser

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"mtlslab.example/lab/lab/text"
)

// What a browser without a window may take for a page, and any browser to end
// when it is asked to.
const (
	screenshotTimeout = 30 * time.Second
	endTimeout        = 5 * time.Second
)

// Open shows the URL in a window, until that is closed, the terminal is, or ctx
// ends, none of which is an error.
func (b *Browser) Open(ctx context.Context, o Options) (err error) {
	ctx, stop := untilHangup(ctx)
	defer stop()
	p, err := b.makeProfile(ctx, o)
	if err == nil {
		defer func() { err = errors.Join(err, p.remove()) }()
		err = b.run(ctx, p, o, "")
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Screenshot opens the URL without a window and returns a picture of it as PNG.
// The error is *NoPageError when the browser could not load it: without
// a window Chromium then ends without a picture, and Firefox does not end.
func (b *Browser) Screenshot(ctx context.Context, o Options) (png []byte, err error) {
	noPage := &NoPageError{Browser: b.Family, URL: o.URL.String()}
	ctx, cancel := context.WithTimeoutCause(ctx, screenshotTimeout, noPage)
	defer cancel()
	p, err := b.makeProfile(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.remove()) }()
	file := filepath.Join(p.dir, "screenshot.png")
	if err := b.run(ctx, p, o, file); err != nil {
		return nil, err
	}
	png, err = os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noPage
	}
	return png, err
}

// run starts the browser and waits until it and all its processes have ended.
func (b *Browser) run(ctx context.Context, p *profile, o Options, screenshot string) error {
	cmd := exec.CommandContext(ctx, b.Path, b.commandLine(p, o, screenshot)...)
	cmd.Env = p.environment(o.KeyLog)
	last := &text.Tail{Most: 2 << 10}
	cmd.Stdout, cmd.Stderr = last, last
	cmd.Cancel = func() error { return endGroup(cmd.Process) }
	cmd.WaitDelay = endTimeout
	startGroup(cmd, p.folder.Lock)
	runtime.LockOSThread() // on Linux the browser ends with the thread that has started it
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	if cmd.Process != nil {
		killGroup(cmd.Process)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) { // a child that was slower to end
		return &ExitError{Program: b.Path, Err: err, Output: last.String()}
	}
	return nil
}

// commandLine is how the browser is started: headless if there is a file for
// the screenshot.
func (b *Browser) commandLine(p *profile, o Options, screenshot string) []string {
	var args []string
	if b.Family == Firefox {
		args = []string{"--no-remote", "--profile", p.path()}
		if screenshot != "" {
			args = append(args, "--headless", "--screenshot", screenshot, "--window-size=800,450")
		}
		return append(args, o.URL.String())
	}
	args = strings.Fields("--no-first-run --no-default-browser-check --password-store=basic --disable-sync " +
		"--disable-background-networking --disable-component-update")
	args = append(args, "--user-data-dir="+p.path())
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // Chromium refuses to run as root with it
	}
	if screenshot != "" {
		args = append(args, "--headless", "--disable-gpu", "--hide-scrollbars", "--window-size=800,450", "--screenshot="+screenshot)
	}
	return append(args, o.URL.String())
}
