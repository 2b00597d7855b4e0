// A WebSocket server with uWebSockets: `uwebsockets ROLE PORT [CERTIFICATE]`, over TLS with a certificate.

#include "App.h"

#include <cstdlib>
#include <string>
#include <string_view>

struct PerSocket {};

template <class App>
void serve(App app, const std::string &role, int port) {
    unsigned long long received = 0;
    typename App::template WebSocketBehavior<PerSocket> behavior;
    behavior.compression = uWS::DISABLED;
    behavior.maxBackpressure = 64 * 1024 * 1024;
    behavior.open = [](auto *ws) { ws->subscribe("all"); };
    behavior.message = [&](auto *ws, std::string_view message, uWS::OpCode opcode) {
        const bool text = opcode == uWS::OpCode::TEXT;
        if (role == "echo" || (role == "mixed" && text)) {
            ws->send(message, opcode);
        } else if (role == "fanout" || role == "mixed") {
            app.publish("all", message, opcode);
        } else if (text) {
            ws->send(std::to_string(received), uWS::OpCode::TEXT);
        } else {
            received += 1;
        }
    };
    app.template ws<PerSocket>("/*", std::move(behavior));
    app.listen("127.0.0.1", port, [](auto *listening) {
        if (!listening) {
            std::exit(1);
        }
    });
    app.run();
}

int main(int count, char **argv) {
    const std::string role = argv[1];
    const int port = std::atoi(argv[2]);
    if (count <= 3) {
        serve(uWS::App(), role, port);
        return 0;
    }
#ifdef LIBUS_NO_SSL
    std::exit(1);
#else
    uWS::SocketContextOptions options;
    options.key_file_name = options.cert_file_name = argv[3];
    serve(uWS::SSLApp(options), role, port);
#endif
}
