// Probes: the datagrams that ask all servers to reply, and when they are sent.
#pragma once

#include "random.h"
#include "text.h"

namespace halloo {

static const uint16_t DISCOVERY_PORT = 8766;
static const uint16_t LAST_DISCOVERY_PORT = 8775;
static const size_t PROBE_SIZE = 1024;
typedef Text<16> Nonce;

/// Returns whether `time` has come. The clock may have overflowed since.
inline bool isDue(uint32_t time, uint32_t now) { return static_cast<int32_t>(now - time) >= 0; }

/// Writes a probe. It is as large as the reply may be.
inline void writeProbe(const Nonce& nonce, char (&out)[PROBE_SIZE]) {
  Text<96> head;
  head.append("{\"service\":\"websocket_server_probe\",\"v\":2,\"nonce\":\"").append(nonce.c_str()).append("\",\"pad\":\"");
  memset(out, '.', PROBE_SIZE);
  memcpy(out, head.c_str(), head.size());
  memcpy(out + PROBE_SIZE - 2, "\"}", 2);
}

/// Decides when probes are sent, in milliseconds of any clock that may overflow.
class ProbeSchedule {
 public:
  ProbeSchedule() : due_(0), sent_(0) {}

  void start(uint32_t now) {
    due_ = now;
    sent_ = 0;
  }

  /// Returns whether a probe has to be sent now.
  bool poll(uint32_t now, RandomSource random) {
    if (!isDue(due_, now)) return false;
    static const uint16_t delays[] = {100, 200, 400, 400, 700, 700, 700, 700, 700, 700};
    const uint32_t delay = sent_ < sizeof(delays) / sizeof(delays[0]) ? delays[sent_] : 3000;
    // Up to 5 % shorter or longer, so that several clients do not stay in step.
    due_ = now + delay * 95 / 100 + randomUpTo(delay / 10, random);
    sent_++;
    return true;
  }

  /// Returns the last of the ports for the probe that is sent now; the first one is `DISCOVERY_PORT`.
  uint16_t lastPort() const { return sent_ % 5 == 1 ? LAST_DISCOVERY_PORT : DISCOVERY_PORT; }

 private:
  uint32_t due_;
  uint32_t sent_;
};

}  // namespace halloo
