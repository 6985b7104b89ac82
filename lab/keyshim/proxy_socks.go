package keyshim

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strconv"
)

// SOCKS5 (RFC 1928) and its passwords (RFC 1929).
const (
	socksVersion  = 5
	socksConnect  = 1
	socksNoAuth   = 0 // methods
	socksPassword = 2
	socksProof    = 0x80 // lab's own: the proxy says its password, as shim/connect.c asks it to
	socksNoMethod = 0xff
	socksIPv4     = 1 // types of addresses
	socksName     = 3
	socksIPv6     = 4

	socksPasswordVersion = 1
)

// Replies of SOCKS5.
const (
	socksDone           = 0
	socksFailure        = 1
	socksRefused        = 5
	socksNoSuchCommand  = 7
	socksNoSuchAddress  = 8
	socksPasswordDone   = 0
	socksPasswordFailed = 1
)

// askSOCKS reads the greeting, the password and the request of SOCKS5. See ask.
func askSOCKS(in *bufio.Reader, out io.Writer, g guard) (target string, answer func(error) error, err error) {
	if err := greetSOCKS(in, out, g); err != nil {
		return "", nil, err
	}
	reply := func(code byte) error {
		_, err := out.Write([]byte{socksVersion, code, 0, socksIPv4, 0, 0, 0, 0, 0, 0})
		return err
	}
	var request [4]byte // version, command, reserved, address type
	if _, err := io.ReadFull(in, request[:]); err != nil {
		return "", nil, err
	}
	host, err := socksHost(in, request[3])
	if errors.Is(err, errBadTarget) {
		return "", nil, errors.Join(err, reply(socksNoSuchAddress))
	} else if err != nil {
		return "", nil, err
	}
	var port [2]byte
	if _, err := io.ReadFull(in, port[:]); err != nil {
		return "", nil, err
	}
	if request[1] != socksConnect {
		return "", nil, errors.Join(errNotConnect, reply(socksNoSuchCommand))
	}
	target, err = targetOf(host, strconv.Itoa(int(binary.BigEndian.Uint16(port[:]))))
	if err != nil {
		return "", nil, errors.Join(err, reply(socksFailure))
	}
	return target, func(dialed error) error {
		if dialed != nil {
			return reply(socksRefused)
		}
		return reply(socksDone)
	}, nil
}

// greetSOCKS negotiates the authentication method, and authenticates the
// client.
func greetSOCKS(in *bufio.Reader, out io.Writer, g guard) error {
	if _, err := in.Discard(1); err != nil { // version
		return err
	}
	methods, err := socksString(in)
	if err != nil {
		return err
	}
	say := func(message ...byte) error {
		_, err := out.Write(message)
		return err
	}
	switch {
	case bytes.IndexByte(methods, socksPassword) >= 0:
		if err := say(socksVersion, socksPassword); err != nil {
			return err
		}
	case bytes.IndexByte(methods, socksProof) >= 0 && g.own:
		return say(append([]byte{socksVersion, socksProof}, g.password...)...)
	case bytes.IndexByte(methods, socksNoAuth) >= 0 && g.admits("", ""):
		return say(socksVersion, socksNoAuth)
	default:
		return errors.Join(errNotTheirs, say(socksVersion, socksNoMethod))
	}
	if _, err := in.Discard(1); err != nil { // version of the password's message
		return err
	}
	user, err := socksString(in)
	if err != nil {
		return err
	}
	password, err := socksString(in)
	if err != nil {
		return err
	}
	if !g.admits(string(user), string(password)) {
		return errors.Join(errNotTheirs, say(socksPasswordVersion, socksPasswordFailed))
	}
	return say(socksPasswordVersion, socksPasswordDone)
}

// socksHost reads an address of that type. It returns errBadTarget if no host
// can have it.
func socksHost(in *bufio.Reader, kind byte) (string, error) {
	if kind == socksName {
		name, err := socksString(in)
		return string(name), err
	}
	length := map[byte]int{socksIPv4: 4, socksIPv6: 16}[kind]
	address := make([]byte, length)
	if _, err := io.ReadFull(in, address); err != nil {
		return "", err
	}
	ip, ok := netip.AddrFromSlice(address)
	if !ok {
		return "", errBadTarget
	}
	return ip.String(), nil
}

// socksString reads a length of one byte and as many bytes.
func socksString(in *bufio.Reader) ([]byte, error) {
	length, err := in.ReadByte()
	if err != nil {
		return nil, err
	}
	text := make([]byte, length)
	_, err = io.ReadFull(in, text)
	return text, err
}
