package exercise

import (
	"os/exec"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
)

// tree is a process with all that it starts: a job object. It ends with lab,
// too, whose handle is the last.
type tree struct {
	mu  sync.Mutex
	job windows.Handle // 0: it was ended
}

func (t *tree) start(cmd *exec.Cmd) error {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return err
	}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE}}
	if _, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits))); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		_ = windows.CloseHandle(job)
		return err
	}
	t.job = job // nobody else knows of t yet
	if process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(cmd.Process.Pid)); err == nil {
		_ = windows.AssignProcessToJobObject(job, process) // else kill ends the process alone
		_ = windows.CloseHandle(process)
	}
	return nil
}

// wait waits for the end of the process.
func (*tree) wait(cmd *exec.Cmd) { _ = cmd.Wait() } // how it has ended is of no interest

// kill ends all processes of the tree.
func (t *tree) kill(cmd *exec.Cmd) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.job != 0 {
		_ = windows.TerminateJobObject(t.job, 1)
		_ = windows.CloseHandle(t.job)
		t.job = 0
	}
	_ = cmd.Process.Kill() // fails if it has ended
}
