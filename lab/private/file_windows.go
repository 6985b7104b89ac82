package private

import (
	"errors"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// openFile has the access list in place from the first moment of a file that it
// makes.
func openFile(path string, flag int) (*os.File, error) {
	acl, err := ownAccess()
	if err != nil {
		return nil, err
	}
	attributes := &windows.SecurityAttributes{SecurityDescriptor: acl}
	attributes.Length = uint32(unsafe.Sizeof(*attributes))
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	handle, err := windows.CreateFile(name, access(flag), windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, attributes, disposition(flag),
		windows.FILE_ATTRIBUTE_NORMAL|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	if err := check(handle, path); err != nil {
		return nil, errors.Join(err, windows.CloseHandle(handle))
	}
	return os.NewFile(uintptr(handle), path), nil
}

// ownAccess is all access for the user, and none for others. It is protected:
// nothing is inherited from the folder.
func ownAccess() (*windows.SECURITY_DESCRIPTOR, error) {
	user, err := currentUser()
	if err != nil {
		return nil, err
	}
	return windows.SecurityDescriptorFromString("D:P(A;;FA;;;" + user.String() + ")")
}

func currentUser() (*windows.SID, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, err
	}
	return user.User.Sid, nil
}

// access returns the rights that os.OpenFile would ask for, and those over the
// access list.
func access(flag int) uint32 {
	rights := uint32(windows.READ_CONTROL | windows.WRITE_DAC | windows.SYNCHRONIZE)
	if flag&os.O_WRONLY == 0 {
		rights |= windows.FILE_GENERIC_READ
	}
	switch {
	case flag&os.O_APPEND != 0:
		rights |= windows.FILE_GENERIC_WRITE &^ windows.FILE_WRITE_DATA
	case flag&(os.O_WRONLY|os.O_RDWR) != 0:
		rights |= windows.FILE_GENERIC_WRITE
	}
	return rights
}

func disposition(flag int) uint32 {
	switch {
	case flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		return windows.CREATE_NEW
	case flag&os.O_CREATE != 0:
		return windows.OPEN_ALWAYS
	}
	return windows.OPEN_EXISTING
}

// check refuses an open file that is not fit for secrets.
func check(handle windows.Handle, path string) error {
	if kind, err := windows.GetFileType(handle); err != nil || kind != windows.FILE_TYPE_DISK {
		return err // the console, say
	}
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(handle, &info); err != nil {
		return err
	}
	switch {
	case info.FileAttributes&windows.FILE_ATTRIBUTE_REPARSE_POINT != 0:
		return &UnsafeError{Path: path, Problem: "is a symbolic link"}
	case info.FileAttributes&windows.FILE_ATTRIBUTE_DIRECTORY != 0:
		return &UnsafeError{Path: path, Problem: "is not a regular file"}
	case info.NumberOfLinks > 1:
		return &UnsafeError{Path: path, Problem: "has a second name (a hard link)"}
	case !hasAccessLists(handle):
		return nil
	}
	user, err := currentUser()
	if err != nil {
		return err
	}
	security, err := windows.GetSecurityInfo(handle, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return err
	}
	owner, _, err := security.Owner()
	if err != nil {
		return err
	}
	if !owner.Equals(user) && !owner.IsWellKnown(windows.WinBuiltinAdministratorsSid) { // which own what an administrator makes
		return &UnsafeError{Path: path, Problem: "belongs to somebody else"}
	}
	return nil
}

func narrow(file *os.File) error {
	handle := windows.Handle(file.Fd())
	if kind, err := windows.GetFileType(handle); err != nil || kind != windows.FILE_TYPE_DISK || !hasAccessLists(handle) {
		return err
	}
	acl, err := ownAccess()
	if err != nil {
		return err
	}
	return windows.SetKernelObjectSecurity(handle, windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, acl)
}

// hasAccessLists reports whether the file system has them, which FAT has not.
func hasAccessLists(handle windows.Handle) bool {
	var flags uint32
	err := windows.GetVolumeInformationByHandle(handle, nil, 0, nil, nil, &flags, nil, 0)
	return err != nil || flags&windows.FILE_PERSISTENT_ACLS != 0
}

// Descriptor finds none: Windows has no names for a process's descriptors.
func Descriptor(string) (fd int, ok bool) { return 0, false }
