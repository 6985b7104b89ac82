import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.Provider;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * Speaks TLS in the ways that Java has: java Peer STORE WAY,... PORT VERSION TIMES THREADS. STORE is a PKCS #12 file with the
 * password "changeit", for both key and trust; the CAs in the folder certs are trusted if it has none. The paths asked for
 * are /WAY-0, /WAY-1, ... The way "server" is a server; "daemon" is one that ends when its standard input does.
 */
public class Peer {
    static SSLContext context;
    static final Set<Long> sessions = ConcurrentHashMap.newKeySet(); // by the time of their creation

    public static void main(String[] args) throws Exception {
        String version = args[3];
        int port = Integer.parseInt(args[2]), times = Integer.parseInt(args[4]), threads = Integer.parseInt(args[5]);
        context = contextOf(args[0]);
        long began = System.nanoTime();
        for (String way : args[1].split(",")) {
            switch (way) {
                case "server":
                    serve(port, version);
                    return;
                case "daemon":
                    serve(port, version);
                    System.in.readAllBytes();
                    System.exit(0);
                default:
                    call(way, port, version, times, threads);
            }
        }
        System.out.println("done in " + (System.nanoTime() - began) / 1000 + " us");
    }

    static void call(String way, int port, String version, int times, int threads) throws Exception {
        AtomicInteger next = new AtomicInteger();
        CountDownLatch done = new CountDownLatch(threads);
        List<Throwable> failures = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            Runnable work = () -> {
                try {
                    for (int i; (i = next.getAndIncrement()) < times; ) {
                        call(way, port, version, "/" + way + "-" + i);
                    }
                } catch (Throwable e) {
                    synchronized (failures) {
                        failures.add(e);
                    }
                } finally {
                    done.countDown();
                }
            };
            thread(way, work);
        }
        done.await();
        for (Throwable e : failures) {
            e.printStackTrace();
            System.exit(3);
        }
    }

    /** Starts a virtual thread, where the JDK has them, for the way "virtual". */
    static void thread(String way, Runnable work) throws Exception {
        if (way.equals("virtual")) {
            Thread.class.getMethod("startVirtualThread", Runnable.class).invoke(null, work);
        } else {
            new Thread(work).start();
        }
    }

    static SSLContext contextOf(String store) throws Exception {
        char[] password = "changeit".toCharArray();
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = new FileInputStream(store)) {
            keys.load(in, password);
        }
        if (!hasTrusted(keys)) {
            for (String ca : new String[] {"server-ca", "client-ca"}) {
                try (InputStream in = new FileInputStream("certs/" + ca + ".pem")) {
                    keys.setCertificateEntry(ca, CertificateFactory.getInstance("X.509").generateCertificate(in));
                }
            }
        }
        Provider tls = SSLContext.getDefault().getProvider();
        for (String other : System.getProperty("peer.providers", "").split(",")) { // classes; the last one has TLS
            if (!other.isEmpty()) {
                tls = (Provider) Class.forName(other).getDeclaredConstructor().newInstance();
                Security.addProvider(tls);
            }
        }
        KeyManagerFactory own = KeyManagerFactory.getInstance("PKIX", tls);
        own.init(keys, password);
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX", tls);
        trust.init(keys);
        SSLContext c = SSLContext.getInstance("TLS", tls);
        c.init(own.getKeyManagers(), trust.getTrustManagers(), null);
        return c;
    }

    static boolean hasTrusted(KeyStore keys) throws Exception {
        for (String alias : Collections.list(keys.aliases())) {
            if (keys.isCertificateEntry(alias)) {
                return true;
            }
        }
        return false;
    }

    static void call(String way, int port, String version, String path) throws Exception {
        switch (way) {
            case "httpclient":
                SSLParameters only = new SSLParameters();
                only.setProtocols(new String[] {version});
                HttpClient client = HttpClient.newBuilder().sslContext(context).sslParameters(only).version(HttpClient.Version.HTTP_1_1).build();
                client.send(HttpRequest.newBuilder(URI.create("https://localhost:" + port + path)).build(), HttpResponse.BodyHandlers.discarding());
                break;
            case "urlconnection":
                System.setProperty("https.protocols", version);
                HttpsURLConnection c = (HttpsURLConnection) new URL("https://localhost:" + port + path).openConnection();
                c.setSSLSocketFactory(context.getSocketFactory());
                c.setRequestProperty("Connection", "close");
                c.getResponseCode();
                c.disconnect();
                break;
            default: // "socket", "virtual", and "resumed", whose sessions are kept
                try (SSLSocket s = (SSLSocket) context.getSocketFactory().createSocket("localhost", port)) {
                    s.setEnabledProtocols(new String[] {version});
                    s.startHandshake();
                    if (!way.equals("resumed")) {
                        s.getSession().invalidate();
                    } else if (!sessions.add(s.getSession().getCreationTime())) {
                        System.out.println("resumed");
                    }
                    s.getOutputStream().write(("GET " + path + " HTTP/1.0\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
                    s.getInputStream().readAllBytes();
                }
        }
    }

    static void serve(int port, String version) throws Exception {
        HttpsServer server = HttpsServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(context) {
            @Override
            public void configure(HttpsParameters p) {
                SSLParameters only = context.getDefaultSSLParameters();
                only.setProtocols(new String[] {version});
                only.setNeedClientAuth(true);
                p.setSSLParameters(only);
            }
        });
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(200, 2);
            exchange.getResponseBody().write("ok".getBytes(StandardCharsets.US_ASCII));
            exchange.close();
        });
        server.setExecutor(Executors.newCachedThreadPool());
        server.start();
        System.out.println("listening on " + server.getAddress().getPort());
    }
}
