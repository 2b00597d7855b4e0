// After which end a client connects again, and when.
#pragma once

#include "probe.h"

namespace halloo {

/// Returns whether another connection would be closed with this code, too.
inline bool isFinalCode(int code) {
  return code == 1002 || code == 1003 || (code >= 1007 && code <= 1010) || code >= 3000;
}

/// Returns whether another handshake would be refused with this status, too.
inline bool isFinalStatus(int status) { return status < 500 && status != 408 && status != 425 && status != 429; }

/// What is known about the peer at the end of an attempt or of a connection.
struct Certainty {
  /// A person gave the address.
  bool given = false;
  /// In this attempt, a search found the server there.
  bool found = false;
  /// In the handshake, it proved to be the right one.
  bool proven = false;
  /// The connection lasted for 10 s.
  bool stable = false;
  /// There are other addresses to try.
  bool others = false;
};

/// How an attempt or a connection ended.
struct Ending {
  enum Kind : uint8_t { CLOSED, REFUSED, WRONG_SERVER, NO_WEBSOCKET, UNTRUSTED, NOT_PINNED, LOST };

  Kind kind;
  /// The close code or the status.
  int number;

  /// Returns whether the client ends for good.
  bool isFinal(const Certainty& known) const {
    const bool isServer = known.given || known.found;
    switch (kind) {
      case CLOSED:
        return (isServer || known.proven || known.stable) && isFinalCode(number);
      case REFUSED:
        return (isAboutRequest() ? isServer : known.given) && isFinalStatus(number);
      case UNTRUSTED:
        return isServer;
      case LOST:
        return false;
      default:
        return known.given && !known.others;
    }
  }

 private:
  bool isAboutRequest() const { return number == 401 || number == 403 || number == 404 || number == 426; }
};

/// The pauses between attempts, in milliseconds of a clock that may overflow.
class Backoff {
 public:
  static const uint32_t NO_LIMIT = 0;

  explicit Backoff(uint32_t now = 0, uint32_t maxAttempts = NO_LIMIT, uint32_t maxElapsed = NO_LIMIT)
      : since_(now), maxAttempts_(maxAttempts), maxElapsed_(maxElapsed) {}

  void handleConnected(uint32_t now) {
    isConnected_ = true;
    connected_ = now;
  }

  /// Returns whether the connection has lasted long enough.
  bool isStable(uint32_t now) const { return isConnected_ && now - connected_ >= 10000; }

  /// Returns whether there is another attempt, and sets `pause` to the time before it.
  bool handleFailure(uint32_t now, RandomSource random, uint32_t& pause) {
    if (isStable(now)) {
      failures_ = 0;
      since_ = now;
    }
    isConnected_ = false;
    const uint32_t longest = failures_ < 6 ? FIRST << failures_ : LONGEST;
    if (failures_ < 0xFFFFFFFF) failures_++;
    pause = randomUpTo(longest, random);
    if (maxAttempts_ != NO_LIMIT && failures_ >= maxAttempts_) return false;
    return maxElapsed_ == NO_LIMIT || now + pause - since_ < maxElapsed_;
  }

 private:
  static const uint32_t FIRST = 100;
  static const uint32_t LONGEST = 5000;

  uint32_t since_;
  uint32_t maxAttempts_;
  uint32_t maxElapsed_;
  uint32_t failures_ = 0;
  uint32_t connected_ = 0;
  bool isConnected_ = false;
};

}  // namespace halloo
