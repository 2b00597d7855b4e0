// What the library and its sketches use of WiFi.h, for this machine.
#pragma once

#include <Arduino.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct WiFiNetwork {
  void begin(const char*, const char*) {}
};

__attribute__((unused)) static WiFiNetwork WiFi;

inline sockaddr_in socketAddress(const IPAddress& ip, uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  const uint8_t bytes[4] = {ip[0], ip[1], ip[2], ip[3]};
  memcpy(&address.sin_addr, bytes, sizeof(bytes));
  return address;
}

class WiFiClient {
 public:
  ~WiFiClient() { stop(); }

  int connect(const IPAddress& ip, uint16_t port) {
    stop();
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address = socketAddress(ip, port);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) stop();
    return socket_ >= 0;
  }

  bool connected() {
    char byte;
    return socket_ >= 0 && recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
  }

  int available() {
    int count = 0;
    return socket_ >= 0 && ioctl(socket_, FIONREAD, &count) == 0 ? count : 0;
  }

  int read() {
    uint8_t byte = 0;
    return recv(socket_, &byte, 1, 0) == 1 ? byte : -1;
  }

  size_t write(const uint8_t* data, size_t size) {
    const ssize_t sent = socket_ < 0 ? 0 : send(socket_, data, size, MSG_NOSIGNAL);
    return sent < 0 ? 0 : static_cast<size_t>(sent);
  }

  void stop() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }

 private:
  int socket_ = -1;
};
