import java.io.*;
import java.net.*;
import java.nio.file.*;
import java.security.*;
import java.security.cert.*;
import java.security.cert.Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.*;
import javax.net.ssl.*;

/** A server that needs a client certificate, and what it has in common with Client. */
class Server {
    public static void main(String[] args) throws Exception {
        var address = InetAddress.getByName("127.0.0.1");
        var listener = System.getenv("PLAIN") != null ? new ServerSocket(443, 9, address)
            : context().getServerSocketFactory().createServerSocket(443, 9, address);
        if (listener instanceof SSLServerSocket s) {
            s.setNeedClientAuth(true);
            s.setSSLParameters(limit(s.getSSLParameters()));
        }
        while (true) {
            try (var connection = listener.accept()) {
                var in = new BufferedReader(new InputStreamReader(connection.getInputStream(), "ISO-8859-1"));
                for (String line; (line = in.readLine()) != null && !line.isEmpty(); ) {
                    if (System.getenv("PLAIN") != null) break; // what is not HTTP has no empty line
                }
                var status = System.getenv("PLAIN") != null ? "400 Bad Request" : System.getenv("STATUS") + " Whatever";
                connection.getOutputStream().write(("HTTP/1.1 " + status + "\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n").getBytes());
            } catch (IOException e) {
                System.out.println("java: " + e);
            }
        }
    }

    static SSLParameters limit(SSLParameters p) {
        var env = System.getenv();
        p.setProtocols(Arrays.stream(env.get("VERSIONS").split(" ")).map(v -> "TLSv" + v).toArray(String[]::new));
        if (!env.get("SUITE").isEmpty()) p.setCipherSuites(new String[] {env.get("SUITE")});
        return p;
    }

    static SSLContext context() throws Exception {
        var env = System.getenv();
        var password = new char[0];
        KeyManager[] keys = null;
        if (!env.get("CHAIN").isEmpty()) {
            var pem = Files.readString(Path.of(env.get("KEY"))).replaceAll("-----[^-]*-----|\\s", "");
            var key = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
            var store = KeyStore.getInstance("PKCS12");
            store.load(null, null);
            store.setKeyEntry("mine", key, password, certificates(env.get("CHAIN")).toArray(Certificate[]::new));
            var factory = KeyManagerFactory.getInstance("PKIX");
            factory.init(store, password);
            keys = factory.getKeyManagers();
        }
        var trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("root", certificates(env.get("CA")).iterator().next());
        var trust = TrustManagerFactory.getInstance("PKIX");
        if (env.get("CRL") == null) {
            trust.init(trusted);
        } else {
            var parameters = new PKIXBuilderParameters(trusted, new X509CertSelector());
            var crls = CertificateFactory.getInstance("X.509").generateCRLs(new FileInputStream("crls.pem"));
            parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(crls)));
            trust.init(new CertPathTrustManagerParameters(parameters));
        }
        var context = SSLContext.getInstance("TLS");
        context.init(keys, trust.getTrustManagers(), null);
        return context;
    }

    static Collection<? extends Certificate> certificates(String file) throws Exception {
        return CertificateFactory.getInstance("X.509").generateCertificates(new FileInputStream(file));
    }
}
