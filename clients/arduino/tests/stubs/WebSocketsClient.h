// What the library uses of WebSocketsClient.h of the library WebSockets 2.7, for this machine: the same signatures, events and
// reasons. It checks nothing that the library checks.
#pragma once

#include <WiFi.h>

#include <functional>
#include <string>

#define WEBSOCKETS_NETWORK_CLASS WiFiClient

typedef enum { WStype_ERROR, WStype_DISCONNECTED, WStype_CONNECTED, WStype_TEXT, WStype_BIN } WStype_t;

class WebSocketsClient {
 public:
  typedef std::function<void(WStype_t type, uint8_t* payload, size_t length)> WebSocketClientEvent;

  ~WebSocketsClient() { delete tcp_; }

  void begin(IPAddress host, uint16_t port, const char* url = "/", const char* protocol = "arduino") {
    // The library forgets a connection that is still open, so this would be a leak.
    if (tcp_ != nullptr) abort();
    host_ = host;
    port_ = port;
    url_ = url;
    protocol_ = protocol;
    authorization_.clear();
    status_ = NOT_CONNECTED;
  }

  void onEvent(WebSocketClientEvent event) { event_ = event; }
  void setExtraHeaders(const char* extraHeaders = NULL) { extraHeaders_ = extraHeaders == NULL ? "" : extraHeaders; }
  void setAuthorization(const char* auth) { authorization_ = auth; }
  void enableHeartbeat(uint32_t, uint32_t, uint8_t) {}

  void loop() {
    if (!isOpen()) {
      if (wasCleanedUp_) {
        wasCleanedUp_ = false;
        return;
      }
      tcp_ = new WiFiClient();
      if (tcp_->connect(host_, port_)) sendHeader();
      return;
    }
    for (int left = tcp_->available(); left > 0; left--) input_ += static_cast<char>(tcp_->read());
    if (status_ == HEADER) {
      readHeader();
    } else {
      while (status_ == CONNECTED && readFrame()) {
      }
    }
  }

  bool sendTXT(const char* payload, size_t length = 0) { return sendFrame(1, payload, length == 0 ? strlen(payload) : length); }
  bool sendBIN(const uint8_t* payload, size_t length) {
    return sendFrame(2, reinterpret_cast<const char*>(payload), length);
  }

  void disconnect() {
    if (!isOpen()) return;
    if (status_ == CONNECTED) sendFrame(8, "\x03\xE8", 2);
    drop(nullptr);
  }

 private:
  enum Status { NOT_CONNECTED, HEADER, CONNECTED };

  bool isOpen() {
    if (tcp_ == nullptr) return false;
    if (status_ != NOT_CONNECTED && (tcp_->connected() || tcp_->available() > 0)) return true;
    drop(status_ != NOT_CONNECTED ? "Connection lost" : "TCP connection cleanup");
    wasCleanedUp_ = true;
    return false;
  }

  void drop(const char* reason) {
    delete tcp_;
    tcp_ = nullptr;
    status_ = NOT_CONNECTED;
    input_.clear();
    std::string text = reason == nullptr ? "" : reason;
    event_(WStype_DISCONNECTED, reason == nullptr ? nullptr : reinterpret_cast<uint8_t*>(&text[0]), text.size());
  }

  void sendHeader() {
    status_ = HEADER;
    const std::string host = std::to_string(host_[0]) + "." + std::to_string(host_[1]) + "." + std::to_string(host_[2]) +
                             "." + std::to_string(host_[3]) + ":" + std::to_string(port_);
    std::string head = "GET " + url_ + " HTTP/1.1\r\nHost: " + host +
                       "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    if (!protocol_.empty()) head += "Sec-WebSocket-Protocol: " + protocol_ + "\r\n";
    if (!extraHeaders_.empty()) head += extraHeaders_ + "\r\n";
    head += "User-Agent: arduino-WebSocket-Client\r\n";
    if (!authorization_.empty()) head += "Authorization: " + authorization_ + "\r\n";
    head += "\r\n";
    tcp_->write(reinterpret_cast<const uint8_t*>(head.data()), head.size());
  }

  void readHeader() {
    const size_t end = input_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const std::string status = input_.substr(9, 3);
    if (status != "101") return drop(("WebSocket handshake failed - HTTP " + status).c_str());
    input_.erase(0, end + 4);
    status_ = CONNECTED;
    event_(WStype_CONNECTED, reinterpret_cast<uint8_t*>(&url_[0]), url_.size());
  }

  bool readFrame() {
    if (input_.size() < 2) return false;
    const int opcode = input_[0] & 0x0F;
    size_t size = input_[1] & 0x7F, head = 2;
    if (size == 126) {
      if (input_.size() < 4) return false;
      size = static_cast<size_t>(static_cast<uint8_t>(input_[2]) << 8 | static_cast<uint8_t>(input_[3]));
      head = 4;
    }
    if (input_.size() < head + size) return false;
    std::string payload = input_.substr(head, size);
    input_.erase(0, head + size);
    uint8_t* bytes = reinterpret_cast<uint8_t*>(&payload[0]);
    if (opcode == 8) {
      sendFrame(8, "\x03\xE8", 2);
      drop(nullptr);
    } else if (opcode == 9) {
      sendFrame(10, payload.data(), size);
    } else if (opcode <= 2) {
      event_(opcode == 1 ? WStype_TEXT : WStype_BIN, bytes, size);
    }
    return true;
  }

  /// Sends a frame that is masked with zeros, of up to 65,535 bytes.
  bool sendFrame(int opcode, const char* payload, size_t size) {
    if (status_ != CONNECTED) return false;
    std::string frame(1, static_cast<char>(0x80 | opcode));
    if (size < 126) {
      frame += static_cast<char>(0x80 | size);
    } else {
      frame += static_cast<char>(0x80 | 126);
      frame += static_cast<char>(size >> 8);
      frame += static_cast<char>(size);
    }
    frame.append(4, '\0').append(payload, size);
    return tcp_->write(reinterpret_cast<const uint8_t*>(frame.data()), frame.size()) == frame.size();
  }

  IPAddress host_ = IPAddress(0, 0, 0, 0);
  uint16_t port_ = 0;
  std::string url_, protocol_, authorization_, input_;
  // The default of the library, which halloo refuses.
  std::string extraHeaders_ = "Origin: file://";
  Status status_ = NOT_CONNECTED;
  bool wasCleanedUp_ = false;
  WiFiClient* tcp_ = nullptr;
  WebSocketClientEvent event_;
};
