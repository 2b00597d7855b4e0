// Runs a sketch, whose path is the macro `SKETCH`, until standard input is closed.

#include <Arduino.h>
#include <poll.h>

#include SKETCH

int main() {
  setup();
  pollfd input = {0, POLLIN, 0};
  while (poll(&input, 1, 1) == 0) loop();
  return 0;
}
