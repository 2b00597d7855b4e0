// A link whose settings are in the environment: NAME, TOKEN, APP and ROOM. It sends each line of standard input, closes at its
// end, and prints what happens.

#include <HallooLink.h>
#include <poll.h>

#include <string>

static const char* setting(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

static halloo::Link server(setting("NAME"));

int main() {
  server.setToken(setting("TOKEN"));
  server.setApp(setting("APP"));
  if (getenv("ROOM") != nullptr && !server.setRoom(setting("ROOM"))) return 1;
  server.onOpen([] {
    Serial.print("open ");
    Serial.println(server.server().source.text().c_str());
  });
  server.onClose([] { Serial.println("close"); });
  server.onMessage([](const uint8_t* data, size_t size, bool isText) {
    Serial.print(isText ? "text " : "binary ");
    Serial.write(data, size);
    Serial.println();
  });
  server.begin();
  halloo::Link::State shown = halloo::Link::SEARCHING;
  pollfd input = {0, POLLIN, 0};
  std::string line;
  while (true) {
    server.loop();
    if (server.state() != shown) {
      shown = server.state();
      if (shown == halloo::Link::WAITING) Serial.print("retry ");
      if (shown == halloo::Link::CLOSED) Serial.print("closed ");
      if (shown == halloo::Link::WAITING || shown == halloo::Link::CLOSED) Serial.println(server.problem());
    }
    if (poll(&input, 1, 1) == 0) continue;
    char byte;
    if (read(0, &byte, 1) != 1) break;
    if (byte != '\n') {
      line += byte;
    } else {
      if (!server.send(line.c_str())) Serial.println("not sent");
      line.clear();
    }
  }
  server.close();
  return 0;
}
