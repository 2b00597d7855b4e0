// A WebSocket server with uWebSockets: `uwebsockets ROLE PORT`.

#include "App.h"

#include <cstdlib>
#include <string>
#include <string_view>

struct PerSocket {};

int main(int, char **argv) {
    const std::string role = argv[1];
    unsigned long long received = 0;
    uWS::App app;
    uWS::App::WebSocketBehavior<PerSocket> behavior;
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
    app.ws<PerSocket>("/*", std::move(behavior));
    app.listen("127.0.0.1", std::atoi(argv[2]), [](auto *listening) {
        if (!listening) {
            std::exit(1);
        }
    });
    app.run();
}
