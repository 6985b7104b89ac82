import java.io.InputStream;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.util.Collections;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

/** An HTTPS server for probes. Usage: Server.java MODE PASSWORD PKCS12 TRUSTSTORE... */
public class Server {
    public static void main(String[] args) throws Exception {
        char[] password = args[1].toCharArray();
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(load(args[2], password), password);
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        KeyStore trusted = load(args[3], password);
        for (int i = 4; i < args.length; i++) {
            KeyStore more = load(args[i], password);
            for (String alias : Collections.list(more.aliases())) {
                trusted.setCertificateEntry(alias, more.getCertificate(alias));
            }
        }
        trust.init(trusted);
        TrustManager[] managers = trust.getTrustManagers();
        if (args[0].equals("all-trusting")) {
            managers = new TrustManager[] {new AllTrusting()};
        }
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), managers, null);
        SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0, 50, InetAddress.getByName("127.0.0.1"));
        if (args[0].equals("want")) {
            listener.setWantClientAuth(true);
        } else {
            listener.setNeedClientAuth(!args[0].equals("silent"));
        }
        System.out.println("listening on " + listener.getLocalPort());
        while (true) {
            SSLSocket socket = (SSLSocket) listener.accept();
            new Thread(() -> answer(socket)).start();
        }
    }

    static KeyStore load(String file, char[] password) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(Path.of(file))) {
            store.load(in, password);
        }
        return store;
    }

    static void answer(SSLSocket socket) {
        try (socket) {
            socket.setSoTimeout(10000);
            InputStream in = socket.getInputStream();
            for (int last = 0; last != 0x0d0a0d0a; ) {
                int b = in.read();
                if (b < 0) {
                    return;
                }
                last = last << 8 | b;
            }
            socket.getOutputStream().write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello".getBytes());
        } catch (Exception e) {
            // the probe sees it
        }
    }

    static class AllTrusting implements X509TrustManager {
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
