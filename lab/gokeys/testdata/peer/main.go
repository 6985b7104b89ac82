// Peer is a TLS client and server for tests. It builds with Go 1.17 and later.
//
//	peer serve KEYLOG...       prints its address and echoes lines, until killed
//	peer call ADDRESS ...      sends a line over each of several connections
//	peer start PROGRAM ARG...  starts another program, and waits for it
//	peer threads ADDRESS N     has N threads while it calls
//	peer copy                  copies its standard input
//	peer crash                 ends with a stack trace and SIGABRT
package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"syscall"
	"time"
)

var (
	connections = flag.Int("n", 1, "connections of each goroutine")
	goroutines  = flag.Int("goroutines", 1, "that call at the same time")
	version     = flag.Int("version", 13, "12 or 13")
	resume      = flag.Bool("resume", false, "resume sessions")
	mutual      = flag.Bool("mutual", false, "the client has a certificate")
	requests    = flag.Int("requests", 1, "lines over each connection")
	threads     = flag.Int("threads", 0, "that only wait")
	own         = flag.Bool("own", false, "log keys by itself, to the file that variable names")
	churn       = flag.Int("churn", 0, "goroutines that start and end threads all the time")
	profile     = flag.Bool("profile", false, "be interrupted often, and collect garbage all the time")
	end         = flag.String("end", "", "exit, kill, panic or exec after the calls")
	forever     = flag.Bool("forever", false, "call until killed")
)

// variable is set by the linker.
var variable string

func main() {
	flag.Parse()
	for i := 0; i < *churn; i++ {
		go startThreads()
	}
	switch flag.Arg(0) {
	case "serve":
		serve()
	case "call":
		for i := 0; i < *threads; i++ {
			go func() {
				runtime.LockOSThread()
				select {}
			}()
		}
		call(flag.Arg(1))
	case "start":
		c := exec.Command(flag.Arg(1), flag.Args()[2:]...)
		c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
		if err := c.Run(); err != nil {
			log.Fatal(err)
		}
	case "copy":
		io.Copy(os.Stdout, os.Stdin)
	case "crash":
		debug.SetTraceback("crash")
		syscall.Kill(os.Getpid(), syscall.SIGQUIT)
		time.Sleep(time.Minute)
	}
}

// startThreads starts one thread after the other. Each ends at once: with the
// goroutine that it is locked to.
func startThreads() {
	for {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			runtime.LockOSThread()
			time.Sleep(100 * time.Microsecond)
		}()
		<-ended
	}
}

func config() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	c := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	if *version == 12 {
		c.MaxVersion = tls.VersionTLS12
	}
	if *own {
		file, err := os.OpenFile(os.Getenv(variable), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			log.Fatal(err)
		}
		c.KeyLogWriter = file
	}
	return c
}

func serve() {
	l, err := tls.Listen("tcp", "127.0.0.1:0", config())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}

func call(address string) {
	client := config()
	if !*mutual {
		client.Certificates = nil
	}
	if *resume {
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	if *profile {
		debug.SetGCPercent(1)
		runtime.SetCPUProfileRate(5000)
		pprof.StartCPUProfile(io.Discard)
		defer pprof.StopCPUProfile()
		go func() {
			stacks := make([]byte, 1<<20)
			for {
				runtime.Stack(stacks, true) // which stops all
			}
		}()
	}
	begin := time.Now()
	var all sync.WaitGroup
	for i := 0; i < *goroutines; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := 0; i < *connections || *forever; i++ {
				one(address, client)
			}
		}()
	}
	all.Wait()
	fmt.Println(time.Since(begin).Nanoseconds())
	switch *end {
	case "exit":
		os.Exit(3)
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "panic":
		panic("as it was asked to")
	case "exec":
		log.Fatal(syscall.Exec("/bin/true", []string{"true"}, nil))
	}
}

func one(address string, client *tls.Config) {
	raw, err := net.Dial("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	c := tls.Client(raw, client)
	defer c.Close()
	in := bufio.NewReader(c)
	for i := 0; i < *requests; i++ {
		if _, err := io.WriteString(c, "hello\n"); err != nil {
			log.Fatal(err)
		}
		if line, err := in.ReadString('\n'); err != nil || line != "hello\n" {
			log.Fatal(line, err)
		}
	}
}
