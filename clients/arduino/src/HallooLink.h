// A link to a halloo server for ESP32 and ESP8266, on the library WebSockets by Markus Sattler (Links2004).
#pragma once

#include <Arduino.h>
#include <WebSocketsClient.h>
#include <WiFiUdp.h>

#include "halloo.h"

namespace halloo {

/// Returns 32 bits from the random number generator of the hardware.
inline uint32_t hardwareRandom() {
#if defined(ESP32)
  return esp_random();
#elif defined(ESP8266)
  return RANDOM_REG32;
#else
#error "no random number generator is known for this board; use an ESP32 or ESP8266"
#endif
}

/// Finds a server, connects to it, and does it again after a failure. Call `loop()` in each turn of the sketch.
class Link {
 public:
  enum State : uint8_t { SEARCHING, CONNECTING, CONNECTED, WAITING, CLOSED };

  typedef void (*Handler)();
  typedef void (*MessageHandler)(const uint8_t* data, size_t size, bool isText);

  /// Looks for the server with this name or id, or for the only one if it is empty. The texts are not copied.
  explicit Link(const char* name = "") : name_(name) {}

  // Settings, before `begin()`.

  /// The token of the server. It is proven, and never sent.
  void setToken(const char* token) { token_ = token; }
  /// The application id: other servers are ignored.
  void setApp(const char* app) { app_ = app; }
  /// The room to join. Returns false if its name is not allowed.
  bool setRoom(const char* room) { return readRoom(room, path_); }
  void onOpen(Handler handler) { opened_ = handler; }
  void onClose(Handler handler) { closed_ = handler; }
  /// Messages of up to 15 KiB; the library closes the connection on larger ones.
  void onMessage(MessageHandler handler) { received_ = handler; }

  /// Begins to search. `loop()` does everything else.
  void begin() {
    if (state_ != CLOSED) close();
    socket_.onEvent([this](WStype_t type, uint8_t* payload, size_t length) { handleEvent(type, payload, length); });
    // Three pings without an answer, the first one after 5 s, end a connection within 15 s.
    socket_.enableHeartbeat(5000, 3000, 3);
    finder_.lookFor(name_, app_);
    beginAttempt(millis());
  }

  void loop() {
    const uint32_t now = millis();
    if (state_ == SEARCHING) {
      search(now);
    } else if (state_ == WAITING) {
      if (isDue(deadline_, now)) beginAttempt(now);
    } else if (state_ == CONNECTED) {
      socket_.loop();
    } else if (state_ == CONNECTING && isChecking_) {
      check(now);
    } else if (state_ == CONNECTING) {
      open(now);
    }
  }

  /// Sends a text. Returns false if there is no connection: nothing is stored until there is one.
  bool send(const char* text) { return state_ == CONNECTED && socket_.sendTXT(text, strlen(text)); }
  bool send(const uint8_t* data, size_t size) { return state_ == CONNECTED && socket_.sendBIN(data, size); }

  /// Closes the connection, and does not connect again until `begin()`.
  void close() {
    state_ = CLOSED;
    udp_.stop();
    tcp_.stop();
    socket_.disconnect();
  }

  State state() const { return state_; }
  bool isConnected() const { return state_ == CONNECTED; }
  /// The server that was found last.
  const Server& server() const { return server_; }
  /// Why the last attempt or connection ended, and what to do.
  const char* problem() const { return problem_.c_str(); }

 private:
  static const uint32_t CHECK_TIMEOUT = 5000;
  static const uint32_t OPEN_TIMEOUT = 10000;
  static const int MAX_CHALLENGES = 2;
  static const int DATAGRAMS_PER_LOOP = 8;

  void beginAttempt(uint32_t now) {
    state_ = SEARCHING;
    udp_.begin(DISCOVERY_PORT);
    finder_.start(now, hardwareRandom);
  }

  void search(uint32_t now) {
    if (finder_.pollProbe(now)) sendProbe();
    receive(now);
    const Finder::Result result = finder_.poll(now);
    if (result == Finder::SEARCHING) return;
    udp_.stop();
    if (result != Finder::FOUND) {
      finder_.describe(problem_);
      return fail(Ending{Ending::LOST, 0}, now);
    }
    server_ = *finder_.server();
    dial(now);
  }

  void sendProbe() {
    writeProbe(finder_.nonce(), reinterpret_cast<char(&)[PROBE_SIZE]>(buffer_));
    for (uint32_t port = DISCOVERY_PORT; port <= finder_.lastPort(); port++) {
      if (!udp_.beginPacket(IPAddress(255, 255, 255, 255), static_cast<uint16_t>(port))) continue;
      udp_.write(reinterpret_cast<const uint8_t*>(buffer_), PROBE_SIZE);
      udp_.endPacket();
    }
  }

  void receive(uint32_t now) {
    for (int i = 0; i < DATAGRAMS_PER_LOOP; i++) {
      const int size = udp_.parsePacket();
      if (size <= 0) return;
      const int read = udp_.read(buffer_, sizeof(buffer_));
      const IPAddress ip = udp_.remoteIP();
      const Address from = {{ip[0], ip[1], ip[2], ip[3]}, udp_.remotePort()};
      // The rest of one that is too large.
      while (udp_.available() > 0) udp_.read();
      if (read == size) finder_.handleDatagram(buffer_, static_cast<size_t>(read), from, now);
    }
  }

  void dial(uint32_t now) {
    state_ = CONNECTING;
    isChecking_ = *token_ != '\0';
    if (server_.tls) return stop("the server requires TLS, which this library does not support; start the server without it");
    if (!isChecking_ && server_.auth) return stop("the server requires a token; call setToken with that of its invitation");
    if (!isChecking_) return beginOpen(now, "");
    challenges_ = 0;
    challengeId_ = server_.id;
    challenge_ = server_.challenge;
    beginCheck(now);
  }

  void beginCheck(uint32_t now) {
    uint8_t nonce[16];
    fillRandom(nonce);
    check_.start(token_, challengeId_.c_str(), challenge_.c_str(), nonce);
    deadline_ = now + CHECK_TIMEOUT;
    if (!tcp_.connect(ip(), server_.source.port)) {
      return lose("the server accepts no connection; find out why with `halloo doctor`", now);
    }
    const Text<400> request = check_.request(server_.source);
    tcp_.write(reinterpret_cast<const uint8_t*>(request.c_str()), request.size());
  }

  void check(uint32_t now) {
    const bool isOpen = tcp_.connected();
    int left = tcp_.available();
    for (; left > 0 && check_.result() == TokenCheck::PENDING; left--) check_.handleByte(static_cast<char>(tcp_.read()));
    if (!isOpen && left <= 0) check_.handleEnd();
    const bool isOver = check_.result() != TokenCheck::PENDING;
    if (!isOver && !isDue(deadline_, now)) return;
    tcp_.stop();
    if (!isOver) return lose("the server did not respond in time; find out why with `halloo doctor`", now);
    conclude(now);
  }

  void conclude(uint32_t now) {
    switch (check_.result()) {
      case TokenCheck::PROVEN: {
        uint8_t nonce[16];
        fillRandom(nonce);
        return beginOpen(now, Exchange(token_, challengeId_.c_str(), challenge_.c_str(), nonce).authorization().c_str());
      }
      case TokenCheck::CHALLENGED:
        if (++challenges_ > MAX_CHALLENGES) return lose("the server asks for a proof of the token again and again", now);
        challengeId_.clear();
        challengeId_.append(check_.id());
        challenge_.clear();
        challenge_.append(check_.challenge());
        return beginCheck(now);
      case TokenCheck::WRONG_SERVER:
        problem_.clear();
        problem_.append("the server does not prove that it knows the token, so it may be an impostor; ");
        problem_.append("if it has no token, do not set one");
        return fail(Ending{Ending::WRONG_SERVER, 0}, now);
      case TokenCheck::REFUSED:
        return refuse(check_.status(), now);
      default:
        return lose("the server did not respond as a WebSocket server; choose another port for it", now);
    }
  }

  void beginOpen(uint32_t now, const char* authorization) {
    isChecking_ = false;
    deadline_ = now + OPEN_TIMEOUT;
    headers_.clear();
    if (server_.hasId) headers_.append("Halloo-Id: ").append(server_.id.c_str());
    // No subprotocol is offered, and no `Origin: file://`, which a server refuses.
    socket_.begin(ip(), server_.source.port, path_.isEmpty() ? "/" : path_.c_str(), "");
    socket_.setExtraHeaders(headers_.c_str());
    if (*authorization != '\0') socket_.setAuthorization(authorization);
  }

  void open(uint32_t now) {
    socket_.loop();
    if (state_ != CONNECTING || !isDue(deadline_, now)) return;
    lose("the server did not complete the handshake in time; find out why with `halloo doctor`", now);
    socket_.disconnect();
  }

  void handleEvent(WStype_t type, const uint8_t* payload, size_t length) {
    if (type == WStype_CONNECTED && state_ == CONNECTING) {
      state_ = CONNECTED;
      backoff_.handleConnected(millis());
      // After a restart or a move, the server has another id and the same name.
      finder_.prefer(server_.id.c_str());
      if (!server_.name.isEmpty()) finder_.lookFor(server_.name.c_str(), app_);
      if (opened_ != nullptr) opened_();
    } else if (type == WStype_DISCONNECTED && state_ == CONNECTED) {
      lose("the connection ended; no action is needed", millis());
      if (closed_ != nullptr) closed_();
    } else if (type == WStype_DISCONNECTED && state_ == CONNECTING) {
      const int status = statusIn(payload, length);
      if (status >= 200) return refuse(status, millis());
      lose("the connection failed before it was complete; find out why with `halloo doctor`", millis());
    } else if ((type == WStype_TEXT || type == WStype_BIN) && state_ == CONNECTED && received_ != nullptr) {
      received_(payload, length, type == WStype_TEXT);
    }
  }

  /// Returns the status in the reason that the library gives, such as `WebSocket handshake failed - HTTP 404`; 0 without one.
  static int statusIn(const uint8_t* reason, size_t length) {
    if (reason == nullptr || length < 8 || memcmp(reason + length - 8, "HTTP ", 5) != 0) return 0;
    int status = 0;
    for (size_t i = length - 3; i < length; i++) {
      if (reason[i] < '0' || reason[i] > '9') return 0;
      status = status * 10 + (reason[i] - '0');
    }
    return status;
  }

  void refuse(int status, uint32_t now) {
    problem_.clear();
    problem_.append("the server refused with the status ").appendNumber(static_cast<uint32_t>(status));
    if (status == 401) problem_.append(": the token is wrong; copy that of the invitation link");
    if (status == 404) problem_.append(": it has no such room; call setRoom with another name");
    if (status == 503) problem_.append(": it is full; disconnect another client");
    fail(Ending{Ending::REFUSED, status}, now);
  }

  void lose(const char* problem, uint32_t now) {
    problem_.clear();
    problem_.append(problem);
    fail(Ending{Ending::LOST, 0}, now);
  }

  void stop(const char* problem) {
    problem_.clear();
    problem_.append(problem);
    state_ = CLOSED;
  }

  void fail(const Ending& ending, uint32_t now) {
    Certainty known;
    known.found = state_ == CONNECTING;
    uint32_t pause = 0;
    const bool hasNext = backoff_.handleFailure(now, hardwareRandom, pause);
    state_ = ending.isFinal(known) || !hasNext ? CLOSED : WAITING;
    deadline_ = now + pause;
  }

  IPAddress ip() const {
    const uint8_t* ip = server_.source.ip;
    return IPAddress(ip[0], ip[1], ip[2], ip[3]);
  }

  static void fillRandom(uint8_t (&bytes)[16]) {
    for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = static_cast<uint8_t>(hardwareRandom());
  }

  const char* name_;
  const char* token_ = "";
  const char* app_ = "";
  RoomPath path_;
  Handler opened_ = nullptr;
  Handler closed_ = nullptr;
  MessageHandler received_ = nullptr;

  WiFiUDP udp_;
  WEBSOCKETS_NETWORK_CLASS tcp_;
  WebSocketsClient socket_;
  Finder finder_;
  Backoff backoff_;
  TokenCheck check_;
  Server server_;
  State state_ = CLOSED;
  bool isChecking_ = false;
  uint32_t deadline_ = 0;
  int challenges_ = 0;
  Text<32> challengeId_;
  Text<64> challenge_;
  Text<44> headers_;
  Text<640> problem_;
  // The largest datagram that the ESP32 core receives.
  char buffer_[1460];
};

}  // namespace halloo
