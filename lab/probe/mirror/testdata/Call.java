// A client in Java: Call verify|nothing URL CA
import java.io.FileInputStream;
import java.net.URI;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

class Call {
    public static void main(String[] args) throws Exception {
        var connection = (HttpsURLConnection) new URI(args[1]).toURL().openConnection();
        connection.setConnectTimeout(20000);
        connection.setReadTimeout(20000);
        var context = SSLContext.getInstance("TLS");
        if (args[0].equals("verify")) {
            var store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null);
            try (var ca = new FileInputStream(args[2])) {
                store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(ca));
            }
            var factory = TrustManagerFactory.getInstance("PKIX");
            factory.init(store);
            context.init(null, factory.getTrustManagers(), null);
        } else {
            context.init(null, new TrustManager[] {new AllTrusting()}, null);
            connection.setHostnameVerifier((host, session) -> true);
        }
        connection.setSSLSocketFactory(context.getSocketFactory());
        connection.getInputStream().readAllBytes();
    }

    static class AllTrusting implements X509TrustManager {
        public void checkClientTrusted(X509Certificate[] chain, String kind) {}

        public void checkServerTrusted(X509Certificate[] chain, String kind) {}

        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
