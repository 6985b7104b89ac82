// TLS connections, from either end. A line on stdin asks for one:
//
//	ID client|server HOST PORT VERSION TRUST CRLS [CERT KEY]
//
// CRLS says how far the CRLs in TRUST are looked at: off, leaf or chain. The
// answer is "ID listening PORT" of a server, and then "ID STATUS" with
// the exceptions behind it, a tab before each.
import java.io.*;
import java.net.*;
import java.nio.file.*;
import java.security.*;
import java.security.cert.*;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.*;
import java.util.regex.*;
import javax.net.ssl.*;

public class Peer {
    static final char[] PASSWORD = "changeit".toCharArray();
    // the provider of TLS; none is the JDK's own
    static final String PROVIDER = System.getProperty("peer.provider");

    public static void main(String[] args) throws Exception {
        if (PROVIDER != null) {
            for (String provider : System.getProperty("peer.providers").split(","))
                Security.addProvider((Provider) Class.forName(provider).getDeclaredConstructor().newInstance());
        }
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null;) {
            String[] words = line.split("\t");
            new Thread(() -> {
                String said = words[0] + " 0";
                try {
                    run(words);
                } catch (Throwable e) {
                    said = words[0] + " 1\t" + e;
                    for (Throwable c = e.getCause(); c != null; c = c.getCause()) said += "\tCaused by: " + c;
                }
                say(said);
            }).start();
        }
    }

    static synchronized void say(String line) {
        System.out.println(line.replace('\n', ' '));
        System.out.flush();
    }

    static void run(String[] words) throws Exception {
        String host = words[2], version = "TLSv" + words[4];
        KeyStore trust = KeyStore.getInstance("PKCS12"), own = KeyStore.getInstance("PKCS12");
        trust.load(null, null);
        own.load(null, null);
        int n = 0;
        for (java.security.cert.Certificate ca : certificates(words[5])) trust.setCertificateEntry("ca" + n++, ca);
        if (words.length > 7) own.setKeyEntry("own", key(words[8]), PASSWORD, certificates(words[7]));
        KeyManagerFactory keys = PROVIDER == null ? KeyManagerFactory.getInstance("PKIX") : KeyManagerFactory.getInstance("PKIX", PROVIDER);
        keys.init(own, PASSWORD);
        TrustManagerFactory trusts = PROVIDER == null ? TrustManagerFactory.getInstance("PKIX") : TrustManagerFactory.getInstance("PKIX", PROVIDER);
        if (words[6].equals("off")) trusts.init(trust);
        else trusts.init(revoking(trust, crls(words[5]), words[6].equals("leaf")));
        SSLContext context = PROVIDER == null ? SSLContext.getInstance("TLS") : SSLContext.getInstance("TLS", PROVIDER);
        context.init(keys.getKeyManagers(), trusts.getTrustManagers(), null);
        if (words[1].equals("client")) {
            try (Socket tcp = new Socket("127.0.0.1", Integer.parseInt(words[3]));
                    SSLSocket tls = (SSLSocket) context.getSocketFactory().createSocket(tcp, host, tcp.getPort(), true)) {
                SSLParameters parameters = tls.getSSLParameters();
                parameters.setEndpointIdentificationAlgorithm("HTTPS");
                tls.setSSLParameters(parameters);
                tls.setEnabledProtocols(new String[] {version});
                tls.getOutputStream().write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".getBytes());
                if (tls.getInputStream().read() < 0) throw new EOFException("the server has closed the connection");
            }
            return;
        }
        try (SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
            listener.setNeedClientAuth(true);
            listener.setEnabledProtocols(new String[] {version});
            say(words[0] + " listening " + listener.getLocalPort());
            try (SSLSocket tls = (SSLSocket) listener.accept()) {
                tls.getInputStream().read();
                tls.getOutputStream().write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".getBytes());
            }
        }
    }

    static ManagerFactoryParameters revoking(KeyStore trust, Collection<? extends CRL> crls, boolean leaf) throws Exception {
        PKIXBuilderParameters parameters = new PKIXBuilderParameters(trust, new X509CertSelector());
        parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(crls)));
        PKIXRevocationChecker checker = (PKIXRevocationChecker) CertPathBuilder.getInstance("PKIX").getRevocationChecker();
        Set<PKIXRevocationChecker.Option> options = EnumSet.of(PKIXRevocationChecker.Option.PREFER_CRLS, PKIXRevocationChecker.Option.NO_FALLBACK);
        if (leaf) options.add(PKIXRevocationChecker.Option.ONLY_END_ENTITY);
        checker.setOptions(options);
        parameters.addCertPathChecker(checker);
        return new CertPathTrustManagerParameters(parameters);
    }

    static Collection<? extends CRL> crls(String file) throws Exception {
        return CertificateFactory.getInstance("X.509").generateCRLs(blocks(file, "X509 CRL"));
    }

    // blocks returns the PEM blocks of one type in a file.
    static InputStream blocks(String file, String type) throws Exception {
        Matcher m = Pattern.compile("-----BEGIN " + type + "-----.*?-----END " + type + "-----\n", Pattern.DOTALL).matcher(Files.readString(Path.of(file)));
        StringBuilder all = new StringBuilder();
        while (m.find()) all.append(m.group());
        return new ByteArrayInputStream(all.toString().getBytes());
    }

    static java.security.cert.Certificate[] certificates(String file) throws Exception {
        return CertificateFactory.getInstance("X.509").generateCertificates(blocks(file, "CERTIFICATE")).toArray(new java.security.cert.Certificate[0]);
    }

    static PrivateKey key(String file) throws Exception {
        String text = Files.readString(Path.of(file)).replaceAll("-----[A-Z ]+-----|\\s", "");
        PKCS8EncodedKeySpec spec = new PKCS8EncodedKeySpec(Base64.getDecoder().decode(text));
        for (String algorithm : new String[] {"EC", "RSA"}) {
            try {
                return KeyFactory.getInstance(algorithm).generatePrivate(spec);
            } catch (GeneralSecurityException e) { // the other
            }
        }
        return KeyFactory.getInstance("Ed25519").generatePrivate(spec);
    }
}
