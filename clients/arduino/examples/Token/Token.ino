// Proves a token, joins a room, and says why there is no connection.

#include <HallooLink.h>

halloo::Link server("living-room");

void setup() {
  Serial.begin(115200);
  WiFi.begin("network", "password");
  server.setToken("the-otters-meet-at-nine");
  server.setRoom("lab");
  server.onOpen([] { Serial.println("connected"); });
  server.onClose([] { Serial.println("not connected"); });
  server.onMessage([](const uint8_t* data, size_t size, bool) { server.send(data, size); });
  server.begin();
}

void loop() {
  static halloo::Link::State shown = halloo::Link::SEARCHING;
  server.loop();
  if (server.state() == shown) return;
  shown = server.state();
  if (shown == halloo::Link::WAITING || shown == halloo::Link::CLOSED) Serial.println(server.problem());
}
