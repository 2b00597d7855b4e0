#include <HallooLink.h>

halloo::Link server("living-room");

void setup() {
  Serial.begin(115200);
  WiFi.begin("network", "password");
  server.onOpen([] { server.send("hello"); });
  server.onMessage([](const uint8_t* text, size_t size, bool) { Serial.write(text, size); });
  server.begin();
}

void loop() { server.loop(); }
