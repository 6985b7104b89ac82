import java.io.*;
import java.net.*;
import javax.net.ssl.*;

/** A server or client in Java; sealed.go says what the environment has. */
class Peer {
    static final int PORT = number("PORT"), REQUESTS = number("REQUESTS"), BODY = number("BODY"), ANSWER = number("ANSWER");

    static int number(String name) { return Integer.parseInt(System.getenv(name)); }

    public static void main(String[] args) throws Exception {
        var context = Server.context();
        if (args[0].equals("server")) {
            serve((SSLServerSocket) context.getServerSocketFactory().createServerSocket(PORT, 9, InetAddress.getByName("127.0.0.1")));
            return;
        }
        for (int i = System.getenv("RESUME").isEmpty() ? 1 : 2; i > 0; i--) {
            try (var socket = (SSLSocket) context.getSocketFactory().createSocket(new Socket("127.0.0.1", PORT), System.getenv("NAME"), PORT, true)) {
                var parameters = Server.limit(socket.getSSLParameters());
                parameters.setEndpointIdentificationAlgorithm("HTTPS");
                socket.setSSLParameters(parameters);
                socket.startHandshake();
                call(socket);
            } catch (IOException e) {
                System.out.println("java: " + e);
            }
        }
    }

    static void call(SSLSocket socket) throws IOException {
        var in = new BufferedReader(new InputStreamReader(socket.getInputStream(), "ISO-8859-1"));
        for (int left = REQUESTS; left > 0; left--) {
            socket.getOutputStream().write((System.getenv("METHOD") + " /index.html HTTP/1.1\r\nHost: " + System.getenv("NAME") + "\r\nContent-Length: " + BODY
                + (left == 1 ? "\r\nConnection: close" : "") + "\r\n\r\n" + "x".repeat(BODY)).getBytes());
            read(in);
        }
    }

    static String read(BufferedReader in) throws IOException {
        int length = 0;
        var last = "";
        for (String line; (line = in.readLine()) != null && !line.isEmpty(); last += line) {
            if (line.toLowerCase().startsWith("content-length:")) length = Integer.parseInt(line.substring(15).trim());
        }
        if (last.isEmpty()) throw new EOFException();
        for (; length > 0 && in.read() >= 0; length--) { }
        return last;
    }

    static void serve(SSLServerSocket listener) throws IOException {
        listener.setNeedClientAuth(System.getenv("ASK").equals("on"));
        if (System.getenv("ASK").equals("optional")) listener.setWantClientAuth(true);
        listener.setSSLParameters(Server.limit(listener.getSSLParameters()));
        while (true) {
            try (var connection = listener.accept()) {
                var in = new BufferedReader(new InputStreamReader(connection.getInputStream(), "ISO-8859-1"));
                while (true) {
                    var request = read(in);
                    connection.getOutputStream().write(("HTTP/1.1 200 OK\r\nContent-Length: " + ANSWER + "\r\n\r\n" + "y".repeat(ANSWER)).getBytes());
                    if (request.contains("Connection: close")) break;
                }
            } catch (IOException e) {
                System.out.println("java: " + e);
            }
        }
    }
}
