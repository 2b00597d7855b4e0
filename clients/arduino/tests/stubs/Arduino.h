// What the library and its sketches use of the ESP32 core, for this machine.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define ESP32

inline uint32_t millis() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint32_t>(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

inline void delay(uint32_t milliseconds) { usleep(milliseconds * 1000); }

inline uint32_t esp_random() {
  uint32_t bits = 0;
  return getrandom(&bits, sizeof(bits), 0) == sizeof(bits) ? bits : 0;
}

class IPAddress {
 public:
  IPAddress(uint8_t a, uint8_t b, uint8_t c, uint8_t d) : bytes_{a, b, c, d} {}
  uint8_t operator[](int index) const { return bytes_[index]; }

 private:
  uint8_t bytes_[4];
};

class SerialPort {
 public:
  void begin(unsigned long) {}
  size_t print(const char* text) { return write(reinterpret_cast<const uint8_t*>(text), strlen(text)); }
  size_t println(const char* text = "") { return print(text) + print("\n"); }
  size_t write(const uint8_t* data, size_t size) {
    fwrite(data, 1, size, stdout);
    fflush(stdout);
    return size;
  }
};

__attribute__((unused)) static SerialPort Serial;
