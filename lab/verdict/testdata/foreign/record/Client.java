import java.io.*;
import java.net.*;
import javax.net.ssl.*;

/** A client with a certificate that checks the server's name, as HTTPS does. */
class Client {
    public static void main(String[] args) throws Exception {
        var tcp = new Socket("127.0.0.1", 443);
        tcp.setSoTimeout(3000);
        try (var connection = System.getenv("PLAIN") != null ? tcp : tls(tcp)) {
            connection.getOutputStream().write("GET /index.html HTTP/1.1\r\nHost: api.example.test\r\n\r\n".getBytes());
            System.out.println("java: " + new BufferedReader(new InputStreamReader(connection.getInputStream())).readLine());
        } catch (IOException e) {
            System.out.println("java: " + e);
        }
    }

    static SSLSocket tls(Socket tcp) throws Exception {
        var socket = (SSLSocket) Server.context().getSocketFactory().createSocket(tcp, System.getenv("NAME"), 443, true);
        var parameters = Server.limit(socket.getSSLParameters());
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        socket.setSSLParameters(parameters);
        socket.startHandshake();
        return socket;
    }
}
