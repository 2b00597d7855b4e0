// The search for a server.
#pragma once

#include "probe.h"
#include "sighting.h"

namespace halloo {

/// Searches for one server. It has no socket and no clock: give it datagrams and the time, and send its probes.
class Finder {
 public:
  enum Result : uint8_t { SEARCHING, FOUND, NOT_FOUND, AMBIGUOUS };

  static const int MAX_SERVERS = 8;

  /// Looks for the server with this name or id, or for the only one if it is empty; with `app`, only among servers with this
  /// application id.
  explicit Finder(const char* name = "", const char* app = "") { lookFor(name, app); }

  void lookFor(const char* name, const char* app = "") {
    Names::clean(Characters(name), name_);
    app_.clear();
    app_.append(app);
  }

  /// Ends the search as soon as the server with this id is found, whatever its name is.
  void prefer(const char* id) {
    preferred_.clear();
    preferred_.append(id);
  }

  /// Begins a search. `random` must be unpredictable, so that a reply proves that its sender has received a probe.
  void start(uint32_t now, RandomSource random, uint32_t timeout = 3000) {
    random_ = random;
    count_ = 0;
    isNarrowed_ = false;
    end_ = now + timeout;
    schedule_.start(now);
    nonce_.clear();
    for (int i = 0; i < 4; i++) appendHex(random());
  }

  /// Returns whether the probe has to be sent now, to the ports from `DISCOVERY_PORT` to `lastPort()`.
  bool pollProbe(uint32_t now) { return schedule_.poll(now, random_); }
  uint16_t lastPort() const { return schedule_.lastPort(); }
  const Nonce& nonce() const { return nonce_; }

  /// Takes a datagram. Others than those of servers are ignored.
  void handleDatagram(const char* datagram, size_t size, const Address& from, uint32_t now) {
    if (!seen_.read(datagram, size, from, nonce_.c_str()) || !isWanted()) return;
    insert();
    if (!isNarrowed_ && matches() > 0) {
      isNarrowed_ = true;
      // Others may have the same name.
      if (isDue(now + NAMESAKE_DELAY, end_)) end_ = now + NAMESAKE_DELAY;
    }
  }

  Result poll(uint32_t now) const {
    const bool isOver = isDue(end_, now);
    const int best = bestIndex();
    if (best >= 0 && ranks_[best] >= Names::ID) return FOUND;
    if (!isOver) return SEARCHING;
    return best < 0 ? NOT_FOUND : isOneCluster() ? FOUND : AMBIGUOUS;
  }

  /// Returns the server that matches best, or `nullptr`. Of several in one cluster, it is the one with the fewest clients.
  const Server* server() const {
    int chosen = bestIndex();
    if (chosen < 0) return nullptr;
    for (int i = 0; i < count_ && isOneCluster(); i++) {
      if (ranks_[i] == ranks_[chosen] && servers_[i].clients < servers_[chosen].clients) chosen = i;
    }
    return &servers_[chosen];
  }

  /// Returns how many servers match equally well.
  int matches() const {
    const int best = bestIndex();
    int found = 0;
    for (int i = 0; best >= 0 && i < count_; i++) found += ranks_[i] == ranks_[best];
    return found;
  }

  int count() const { return count_; }
  const Server& operator[](int index) const { return servers_[index]; }

  /// Sets `text` to why no server was found, and what to do.
  void describe(Text<640>& text) const {
    text.clear();
    const bool isAmbiguous = !isOneCluster();
    if (isAmbiguous) {
      text.append("there are several servers");
    } else if (name_.isEmpty() || count_ == 0) {
      text.append("no server answered on UDP 8766; start one with `halloo serve`, or find out why with `halloo doctor`");
    } else {
      text.append("there are only servers with other names than `").append(name_.c_str()).append("`");
    }
    for (int i = 0, listed = 0; i < count_ && listed < 5; i++) {
      const Server& server = servers_[i];
      if (isAmbiguous && ranks_[i] != ranks_[bestIndex()]) continue;
      text.append(listed++ == 0 ? ": `" : ", `").append(server.name.c_str()).append("`");
      if (!isAmbiguous) continue;
      text.append(" at ").append(server.source.text().c_str()).append(" with the id ").append(server.id.c_str());
    }
    if (isAmbiguous) text.append("; use an id instead of the name");
  }

 private:
  static const uint32_t NAMESAKE_DELAY = 200;
  static const int PREFERRED = Names::ID + 1;

  void appendHex(uint32_t bits) {
    for (int i = 0; i < 4; i++) {
      nonce_.append(static_cast<uint32_t>("0123456789abcdef"[bits & 15]));
      bits >>= 4;
    }
  }

  bool isWanted() const { return app_.isEmpty() || Names::isSameApp(seen_.app.c_str(), app_.c_str()); }

  /// Returns the server that matches best; -1 if none does.
  int bestIndex() const {
    int best = -1;
    for (int i = 0; i < count_; i++) {
      if (ranks_[i] > (best < 0 ? 0 : ranks_[best])) best = i;
    }
    return best;
  }

  /// Returns whether at most one server matches best, or all of those belong to one cluster.
  bool isOneCluster() const {
    const int best = bestIndex();
    bool isOne = true;
    for (int i = best + 1; best >= 0 && i < count_; i++) {
      const Name& cluster = servers_[i].cluster;
      if (ranks_[i] == ranks_[best]) isOne = isOne && !cluster.isEmpty() && cluster == servers_[best].cluster.c_str();
    }
    return isOne;
  }

  int rank(const Server& server) const {
    if (server.hasId && !preferred_.isEmpty() && preferred_ == server.id.c_str()) return PREFERRED;
    return name_.isEmpty() ? 1 : Names::match(name_.c_str(), server.id.c_str(), server.name.c_str());
  }

  void insert() {
    Server& server = seen_.server;
    int index = find(server.id.c_str());
    if (index >= 0 && !isSame(servers_[index], server)) {
      // Two machines with one id, or an impostor: none replaces the other.
      server.hasId = false;
      server.id.clear();
      server.id.append(server.source.text().c_str());
      index = find(server.id.c_str());
      if (index >= 0 && !isSame(servers_[index], server)) return;
    }
    // A reply says more than a beacon.
    if (index >= 0 && servers_[index].isReply && !server.isReply) return;
    const int matching = rank(server);
    if (index < 0) index = place(matching);
    if (index < 0) return;
    servers_[index] = server;
    ranks_[index] = matching;
  }

  int find(const char* id) const {
    for (int i = 0; i < count_; i++) {
      if (servers_[i].id == id) return i;
    }
    return -1;
  }

  /// Returns whether two servers with the same id are one, which is reached at several addresses.
  static bool isSame(const Server& known, const Server& seen) {
    return known.source == seen.source || known.lists(seen.source) || seen.lists(known.source);
  }

  /// Returns where to store another server; -1 if all others match at least as well.
  int place(int matching) {
    if (count_ < MAX_SERVERS) return count_++;
    for (int i = 0; i < count_; i++) {
      if (ranks_[i] < matching) return i;
    }
    return -1;
  }

  Name name_;
  Name app_;
  Text<32> preferred_;
  Nonce nonce_;
  ProbeSchedule schedule_;
  RandomSource random_ = nullptr;
  uint32_t end_ = 0;
  bool isNarrowed_ = false;
  Sighting seen_;
  Server servers_[MAX_SERVERS];
  int ranks_[MAX_SERVERS];
  int count_ = 0;
};

}  // namespace halloo
