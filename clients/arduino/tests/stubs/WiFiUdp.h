// What the library uses of WiFiUdp.h, on loopback. `HALLOO_DISCOVERY_PORT` stands for port 8766, so that tests do not meet.
#pragma once

#include <WiFi.h>
#include <stdlib.h>

class WiFiUDP {
 public:
  ~WiFiUDP() { stop(); }

  uint8_t begin(uint16_t) {
    stop();
    socket_ = socket(AF_INET, SOCK_DGRAM, 0);
    const int yes = 1;
    setsockopt(socket_, SOL_SOCKET, SO_BROADCAST, &yes, sizeof(yes));
    // The device has an address of its own, so it has another port here.
    const sockaddr_in any = socketAddress(IPAddress(127, 0, 0, 1), 0);
    return bind(socket_, reinterpret_cast<const sockaddr*>(&any), sizeof(any)) == 0;
  }

  int beginPacket(const IPAddress& ip, uint16_t port) {
    const int base = atoi(getenv("HALLOO_DISCOVERY_PORT"));
    const IPAddress to = ip[0] == 255 ? IPAddress(127, 255, 255, 255) : ip;
    to_ = socketAddress(to, static_cast<uint16_t>(base + port - 8766));
    return 1;
  }

  size_t write(const uint8_t* data, size_t size) {
    sendto(socket_, data, size, 0, reinterpret_cast<const sockaddr*>(&to_), sizeof(to_));
    return size;
  }

  int endPacket() { return 1; }

  int parsePacket() {
    socklen_t length = sizeof(from_);
    const ssize_t size =
        recvfrom(socket_, datagram_, sizeof(datagram_), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from_), &length);
    left_ = size < 0 ? 0 : static_cast<size_t>(size);
    at_ = datagram_;
    return static_cast<int>(left_);
  }

  int available() { return static_cast<int>(left_); }

  int read() {
    char byte = 0;
    return read(&byte, 1) == 1 ? static_cast<uint8_t>(byte) : -1;
  }

  int read(char* out, size_t size) {
    const size_t count = size < left_ ? size : left_;
    memcpy(out, at_, count);
    at_ += count;
    left_ -= count;
    return static_cast<int>(count);
  }

  IPAddress remoteIP() {
    uint8_t ip[4];
    memcpy(ip, &from_.sin_addr, sizeof(ip));
    return IPAddress(ip[0], ip[1], ip[2], ip[3]);
  }

  uint16_t remotePort() { return ntohs(from_.sin_port); }

  void stop() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }

 private:
  int socket_ = -1;
  sockaddr_in to_ = {};
  sockaddr_in from_ = {};
  char datagram_[2048];
  char* at_ = datagram_;
  size_t left_ = 0;
};
