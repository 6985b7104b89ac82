package command_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// TestUnfinishedMemory: connections that send a ClientHello and never end take
// less than 200 MiB, however many there are.
func TestUnfinishedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 15,000 connections")
	}
	program, file := peertest.Build(t, runtime.GOOS), filepath.Join(t.TempDir(), "open.pcap")
	check(t, os.WriteFile(file, unfinished(t, 15_000), 0o600))
	for _, args := range [][]string{{"--list"}, {}} {
		lab := exec.Command(program, append([]string{"explain", file}, args...)...)
		out, err := lab.StdoutPipe()
		check(t, err)
		check(t, lab.Start())
		line := bufio.NewReader(out)
		_, err = line.ReadString('\n') // by then it has read all
		check(t, err)
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", lab.Process.Pid))
		check(t, err)
		_, at, _ := strings.Cut(string(status), "VmHWM:")
		most, err := strconv.Atoi(strings.Fields(at)[0]) // kB
		check(t, err)
		_, err = io.Copy(io.Discard, line)
		check(t, err)
		_ = lab.Wait() // 1: none of them is accepted
		if most >>= 10; most > 200 || most < 1 {
			t.Errorf("lab explain %q takes %d MiB", args, most)
		}
	}
}

// unfinished is a pcap file of connections that are open when it ends: the
// handshake of TCP and a ClientHello.
func unfinished(t *testing.T, connections int) []byte {
	be, hello := binary.BigEndian, clientHello(t)
	file := slices.Concat([]byte{0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4}, make([]byte, 8), []byte{0, 4, 0, 0, 0, 0, 0, 101})
	add := func(from, to [4]byte, fromPort, toPort uint16, sequence, acknowledgment uint32, flags byte, data []byte) {
		length := 40 + len(data)
		file = append(file, make([]byte, 8)...)
		file = be.AppendUint32(be.AppendUint32(file, uint32(length)), uint32(length))
		file = append(be.AppendUint16(append(file, 0x45, 0), uint16(length)), 0, 0, 0, 0, 64, 6, 0, 0)
		file = append(append(file, from[:]...), to[:]...)
		file = be.AppendUint16(be.AppendUint16(file, fromPort), toPort)
		file = be.AppendUint32(be.AppendUint32(file, sequence), acknowledgment)
		file = append(append(file, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0), data...)
	}
	const syn, ack = 2, 16
	server := [4]byte{127, 0, 0, 1}
	for i := range connections {
		client := [4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}
		add(client, server, 50000, 8443, 1, 0, syn, nil)
		add(server, client, 8443, 50000, 1, 2, syn|ack, nil)
		add(client, server, 50000, 8443, 2, 2, ack, hello)
	}
	return file
}

// clientHello is the first record of crypto/tls.
func clientHello(t *testing.T) []byte {
	client, server := net.Pipe()
	defer server.Close()
	go func() { _ = tls.Client(client, &tls.Config{ServerName: "localhost"}).Handshake() }() // ends with server
	record := make([]byte, 1<<14)
	n, err := io.ReadAtLeast(server, record, 5)
	for err == nil && n < 5+int(binary.BigEndian.Uint16(record[3:])) {
		var more int
		more, err = server.Read(record[n:])
		n += more
	}
	check(t, err)
	return record[:n]
}
