// Asks a server for a proof that it knows the token, before the WebSocket is opened.
#pragma once

#include "address.h"
#include "names.h"
#include "proof.h"

namespace halloo {

/// A request for `/status` with a proof of the token, and what the response says. Libraries for WebSockets do not show the
/// response to the handshake, so this is asked first, as a page does.
class TokenCheck {
 public:
  enum Result : uint8_t {
    PENDING,
    /// The server knows the token.
    PROVEN,
    /// Ask again: the server has another challenge, which is in `id()` and `challenge()`.
    CHALLENGED,
    /// The server does not know the token, or asks for none.
    WRONG_SERVER,
    /// The server refused with `status()`; 401 means that the token is wrong.
    REFUSED,
    /// It is no response of HTTP.
    FAILED
  };

  /// Begins with a challenge; with an empty one, the server is asked for it.
  void start(const char* token, const char* id, const char* challenge, const uint8_t (&nonce)[16]) {
    exchange_ = Exchange(token, id, challenge, nonce);
    id_.clear();
    challenge_.clear();
    proof_.clear();
    line_.clear();
    status_ = 0;
    size_ = 0;
    isStale_ = isCut_ = false;
    result_ = PENDING;
  }

  /// Returns the request to send.
  Text<400> request(const Address& to) const {
    Text<400> text;
    text.append("GET /status HTTP/1.1\r\nHost: ").append(to.text().c_str()).append("\r\nConnection: close\r\n");
    if (exchange_.isValid()) text.append("Authorization: ").append(exchange_.authorization().c_str()).append("\r\n");
    return text.append("\r\n");
  }

  /// Takes the next byte of the response.
  void handleByte(char byte) {
    if (result_ != PENDING) return;
    if (++size_ > MAX_HEAD_SIZE) {
      result_ = FAILED;
    } else if (byte == '\n') {
      handleLine();
      line_.clear();
      isCut_ = false;
    } else if (byte != '\r' && !line_.append(static_cast<uint32_t>(static_cast<uint8_t>(byte)))) {
      isCut_ = true;
    }
  }

  /// The server has closed the connection.
  void handleEnd() {
    if (result_ == PENDING) result_ = FAILED;
  }

  Result result() const { return result_; }
  int status() const { return status_; }
  const char* id() const { return id_.c_str(); }
  const char* challenge() const { return challenge_.c_str(); }

 private:
  static const size_t MAX_HEAD_SIZE = 8192;

  void handleLine() {
    if (status_ == 0) {
      readStatus();
    } else if (line_.isEmpty() && !isCut_) {
      finish();
    } else if (const char* proof = value("Halloo-Proof:")) {
      // A second one makes the proof invalid.
      proof_.append(proof);
    } else if (const char* asked = value("WWW-Authenticate:")) {
      if (strncmp(asked, "Halloo ", 7) == 0 && challenge_.isEmpty()) readChallenge(asked + 7);
    }
  }

  void readStatus() {
    const char* line = line_.c_str();
    const bool isHttp = strncmp(line, "HTTP/1.", 7) == 0 && line_.size() >= 12 && line[8] == ' ';
    for (int i = 9; isHttp && i < 12 && line[i] >= '0' && line[i] <= '9'; i++) status_ = status_ * 10 + (line[i] - '0');
    if (status_ < 100) result_ = FAILED;
  }

  void finish() {
    const bool isAnswer = exchange_.isValid();
    if (status_ == 200) {
      result_ = isAnswer && exchange_.isServerProof(proof_.c_str()) ? PROVEN : WRONG_SERVER;
    } else {
      result_ = status_ == 401 && !challenge_.isEmpty() && (!isAnswer || isStale_) ? CHALLENGED : REFUSED;
    }
  }

  /// Returns the value of a header if the line has this name, else `nullptr`.
  const char* value(const char* name) const {
    const char* line = line_.c_str();
    for (; *name != '\0'; name++, line++) {
      const bool isSameLetter = (*name | 0x20) == (*line | 0x20) && (*name | 0x20) >= 'a' && (*name | 0x20) <= 'z';
      if (*name != *line && !isSameLetter) return nullptr;
    }
    while (*line == ' ' || *line == '\t') line++;
    return line;
  }

  void readChallenge(const char* pairs) {
    readQuoted(pairs, "id=\"", id_);
    readQuoted(pairs, "challenge=\"", challenge_);
    isStale_ = strstr(pairs, "stale=true") != nullptr;
  }

  template <size_t Size>
  static void readQuoted(const char* pairs, const char* name, Text<Size>& value) {
    const char* at = strstr(pairs, name);
    if (at == nullptr) return;
    for (at += strlen(name); *at != '\0' && *at != '"'; at++) value.append(static_cast<uint32_t>(static_cast<uint8_t>(*at)));
  }

  Exchange exchange_ = Exchange("", "", "", {});
  Text<32> id_;
  Text<64> challenge_;
  Text<64> proof_;
  Text<255> line_;
  int status_ = 0;
  size_t size_ = 0;
  bool isStale_ = false;
  // The line has more bytes than are stored.
  bool isCut_ = false;
  Result result_ = PENDING;
};

}  // namespace halloo
