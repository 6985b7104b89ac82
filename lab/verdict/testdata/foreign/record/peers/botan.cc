// A server or client with Botan 3; sealed.go says what the environment has.
#include <arpa/inet.h>
#include <botan/auto_rng.h>
#include <botan/certstor.h>
#include <botan/credentials_manager.h>
#include <botan/data_src.h>
#include <botan/pkcs8.h>
#include <botan/tls.h>
#include <botan/tls_callbacks.h>
#include <botan/tls_policy.h>
#include <botan/tls_session_manager_memory.h>
#include <botan/x509_key.h>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <sys/socket.h>
#include <unistd.h>

static std::string env(const char* name) {
    const char* v = getenv(name);
    return v ? v : "";
}
static int number(const char* name) { return atoi(env(name).c_str()); }

// Credentials are the certificates and the key.
struct Credentials : Botan::Credentials_Manager {
    Botan::Certificate_Store_In_Memory trusted;
    std::vector<Botan::X509_Certificate> chain;
    std::shared_ptr<Botan::Private_Key> key;

    Credentials() {
        trusted.add_certificate(Botan::X509_Certificate(env("CA")));
        if (!env("CRL").empty()) trusted.add_crl(Botan::X509_CRL(env("CRL")));
        if (env("CHAIN").empty()) return;
        Botan::DataSource_Stream pem(env("CHAIN"));
        while (!pem.end_of_data()) {
            try {
                chain.emplace_back(pem);
            } catch (Botan::Exception&) {
                break;
            }
        }
        Botan::DataSource_Stream stream(env("KEY"));
        key = Botan::PKCS8::load_key(stream);
    }
    std::vector<Botan::Certificate_Store*> trusted_certificate_authorities(const std::string&, const std::string&) override {
        if (env("ASK") == "off") return {};
        return {&trusted};
    }
    std::vector<Botan::X509_Certificate> cert_chain(const std::vector<std::string>& types, const std::vector<Botan::AlgorithmIdentifier>&, const std::string&,
                                                    const std::string&) override {
        for (const auto& type : types)
            if (key && key->algo_name() == type) return chain;
        return {};
    }
    std::shared_ptr<Botan::Private_Key> private_key_for(const Botan::X509_Certificate&, const std::string&, const std::string&) override { return key; }
};

struct Policy : Botan::TLS::Policy {
    bool allow_tls12() const override { return false; }
    bool require_cert_revocation_info() const override { return false; }
    bool request_client_certificate_authentication() const override { return env("ASK") != "off"; }
    bool require_client_certificate_authentication() const override { return env("ASK") == "on"; }
    std::vector<Botan::TLS::Group_Params> key_exchange_groups() const override {
        if (env("GROUP").empty()) return Botan::TLS::Policy::key_exchange_groups();
        return {Botan::TLS::Group_Params::SECP384R1};
    }
    size_t new_session_tickets_upon_handshake_success() const override { return env("TICKETS") == "0" ? 0 : 1; }
};

struct Peer : Botan::TLS::Callbacks {
    int fd;
    std::string got;
    bool ended = false;
    explicit Peer(int fd) : fd(fd) {}
    void tls_emit_data(std::span<const uint8_t> data) override {
        if (send(fd, data.data(), data.size(), MSG_NOSIGNAL) < 0) ended = true;
    }
    void tls_record_received(uint64_t, std::span<const uint8_t> data) override { got.append(data.begin(), data.end()); }
    void tls_verify_cert_chain(const std::vector<Botan::X509_Certificate>& chain, const std::vector<std::optional<Botan::OCSP::Response>>& ocsp,
                               const std::vector<Botan::Certificate_Store*>& roots, Botan::Usage_Type usage, std::string_view host,
                               const Botan::TLS::Policy& policy) override {
        if (usage == Botan::Usage_Type::TLS_CLIENT_AUTH) host = ""; // else the name that the client wants must be its own
        Botan::TLS::Callbacks::tls_verify_cert_chain(chain, ocsp, roots, usage, host, policy);
    }
    void tls_alert(Botan::TLS::Alert alert) override { std::cout << "botan: " << alert.type_string() << std::endl; }
};

// fill reads from the connection until done says so; false: it has ended.
template <typename F>
static bool fill(Peer& peer, Botan::TLS::Channel& tls, F done) {
    uint8_t buffer[16384];
    while (!done()) {
        ssize_t n = read(peer.fd, buffer, sizeof buffer);
        if (n <= 0 || peer.ended) return false;
        tls.received_data({buffer, size_t(n)});
        if (tls.is_closed()) return done();
    }
    return true;
}

static bool head(Peer& peer, Botan::TLS::Channel& tls, std::string& found) {
    if (!fill(peer, tls, [&] { return peer.got.find("\r\n\r\n") != std::string::npos; })) return false;
    found = peer.got;
    peer.got.clear();
    return true;
}

static void answer(Peer& peer, Botan::TLS::Channel& tls) {
    std::string request;
    while (head(peer, tls, request)) {
        tls.send("HTTP/1.1 200 OK\r\nContent-Length: " + env("ANSWER") + "\r\n\r\n" + std::string(number("ANSWER"), 'y'));
        if (request.find("Connection: close") != std::string::npos) break;
    }
    tls.close();
}

static void call(Peer& peer, Botan::TLS::Channel& tls) {
    if (!fill(peer, tls, [&] { return tls.is_active(); })) return;
    std::string reply;
    for (int left = number("REQUESTS"); left > 0; left--) {
        tls.send(env("METHOD") + " /index.html HTTP/1.1\r\nHost: " + env("NAME") + "\r\nContent-Length: " + env("BODY") + (left == 1 ? "\r\nConnection: close" : "") + "\r\n\r\n" +
                 std::string(number("BODY"), 'x'));
        if (!head(peer, tls, reply)) return;
    }
    tls.close();
}

int main(int, char** argv) {
    bool server = argv[1] == std::string("server");
    signal(SIGPIPE, SIG_IGN);
    auto rng = std::make_shared<Botan::AutoSeeded_RNG>();
    auto sessions = std::make_shared<Botan::TLS::Session_Manager_In_Memory>(rng);
    auto credentials = std::make_shared<Credentials>();
    auto policy = std::make_shared<Policy>();
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(number("PORT"));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (server && (bind(listener, (sockaddr*)&address, sizeof address) || listen(listener, 9))) return 1;
    for (int rounds = server ? 9 : env("RESUME").empty() ? 1 : 2; rounds > 0; rounds--) {
        int fd = server ? accept(listener, nullptr, nullptr) : socket(AF_INET, SOCK_STREAM, 0);
        if (!server && connect(fd, (sockaddr*)&address, sizeof address)) return 1;
        auto peer = std::make_shared<Peer>(fd);
        try {
            if (server) {
                Botan::TLS::Server tls(peer, sessions, credentials, policy, rng);
                answer(*peer, tls);
            } else {
                Botan::TLS::Client tls(peer, sessions, credentials, policy, rng, Botan::TLS::Server_Information(env("NAME"), number("PORT")), Botan::TLS::Protocol_Version::TLS_V13);
                call(*peer, tls);
            }
        } catch (std::exception& e) {
            std::cout << "botan: " << e.what() << std::endl;
        }
        close(fd);
    }
}
