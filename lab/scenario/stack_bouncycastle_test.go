package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

const bouncyCastleJars = "/usr/share/java/bctls.jar:/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar"

var stackBouncyCastle = func() *stack {
	s := javaStack(&stack{
		name: "BouncyCastle", needs: []string{"java", "javac"}, crl: true,
		client: "SSLSocket of the provider BCJSSE, with endpoint identification HTTPS",
		server: "SSLServerSocket of the provider BCJSSE, setNeedClientAuth(true)",
	}, bouncyCastleJars, "-Djava.util.logging.config.file=/dev/null", "-Dpeer.provider=BCJSSE",
		"-Dpeer.providers=org.bouncycastle.jce.provider.BouncyCastleProvider,org.bouncycastle.jsse.provider.BouncyCastleJsseProvider")
	start := s.version
	s.version = func(t *testing.T) string {
		for jar := range strings.SplitSeq(bouncyCastleJars, ":") {
			if _, err := os.Stat(jar); err != nil {
				peertest.Missing(t, "needs libbctls-java: %v", err)
			}
		}
		java := start(t)
		jar, err := os.Readlink("/usr/share/java/bctls.jar")
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(strings.TrimPrefix(filepath.Base(jar), "bctls-"), ".jar") + " in Java " + java
	}
	return s
}()
