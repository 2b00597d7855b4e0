// What one datagram says about a server.
#pragma once

#include "address.h"
#include "json.h"
#include "names.h"

namespace halloo {

static const size_t MAX_DATAGRAM_SIZE = 2048;
static const int MAX_ADDRESSES = 8;
static const uint32_t UNKNOWN_CLIENTS = 0xFFFFFFFF;

/// A server that was found. Everything but `source` is what it says about itself.
struct Server {
  /// Its address if it has no id.
  Text<32> id;
  bool hasId = false;
  Name name;
  /// Where the datagram came from, with the port to connect to.
  Address source = {};
  /// The addresses to try, best first.
  Address addresses[MAX_ADDRESSES] = {};
  int addressCount = 0;
  /// The number of its clients, or `UNKNOWN_CLIENTS`.
  uint32_t clients = UNKNOWN_CLIENTS;
  /// Whether it requires a token; known only from a reply.
  bool auth = false;
  /// Whether it requires TLS; known only from a reply.
  bool tls = false;
  /// The cluster that it belongs to; empty if it belongs to none, or if it has sent no reply.
  Name cluster;
  Text<64> challenge;
  bool isReply = false;

  void clear() {
    id.clear();
    hasId = auth = tls = isReply = false;
    name.clear();
    source = Address();
    addressCount = 0;
    clients = UNKNOWN_CLIENTS;
    cluster.clear();
    challenge.clear();
  }

  bool lists(const Address& address) const {
    for (int i = 0; i < addressCount; i++) {
      if (addresses[i] == address) return true;
    }
    return false;
  }
};

/// A datagram that lists a server.
class Sighting {
 public:
  Server server;
  Name app;

  /// Reads a datagram that came from `from`. `nonce` is that of the own probes. Returns false if it lists no server.
  bool read(const char* datagram, size_t size, const Address& from, const char* nonce) {
    server.clear();
    const Json seen = size <= MAX_DATAGRAM_SIZE ? Json::parse(datagram, size) : Json();
    server.isReply = seen["service"].isEqual("websocket_server_reply");
    if (server.isReply ? !seen["nonce"].isEqual(nonce) : !seen["service"].isEqual("websocket_server")) return false;
    uint16_t port = 0;
    if (!readPort(seen["port"], port)) return false;
    readSource(seen, from, port);
    if (server.isReply) {
      readReply(seen, port);
    } else {
      addAddress(server.source);
    }
    readId(seen["id"].text());
    Names::clean(seen["name"].text(), server.name);
    readVisible(seen["app"].text(), app);
    double clients = 0;
    if (seen["clients"].isNumber(clients)) {
      server.clients = clients <= 0 ? 0 : clients >= UNKNOWN_CLIENTS ? UNKNOWN_CLIENTS - 1 : static_cast<uint32_t>(clients);
    }
    return true;
  }

 private:
  static void readVisible(Characters text, Name& shown) {
    Names::clean(text, shown);
    if (strspn(shown.c_str(), " ") == shown.size()) shown.clear();
  }

  void readSource(const Json& seen, const Address& from, uint16_t port) {
    Address claimed = {};
    const bool isForwarded = claimed.readIp(seen["ip"].text()) && claimed.hasIp(from);
    server.source = from;
    if (isForwarded || !readPort(seen["listen_port"], server.source.port)) server.source.port = port;
  }

  void readReply(const Json& seen, uint16_t port) {
    server.auth = seen["auth"].isTrue();
    server.tls = seen["tls"].isTrue();
    readVisible(seen["cluster"].text(), server.cluster);
    readChallenge(seen["challenge"].text());
    const bool isAdvertised = seen["advertised"].isTrue();
    if (!isAdvertised) addAddress(server.source);
    readAddresses(seen["addresses"], port);
    if (isAdvertised) addAddress(server.source);
  }

  void readChallenge(Characters characters) {
    uint32_t character = 0;
    while (characters.next(character)) {
      if (!server.challenge.append(character)) return server.challenge.clear();
    }
  }

  void readAddresses(const Json& listed, uint16_t port) {
    Json item;
    if (!listed.isArray()) return;
    for (Json rest = listed; rest.nextItem(item);) {
      if (!item.isText()) return;
    }
    for (Json rest = listed; rest.nextItem(item);) {
      Address address = {};
      address.port = port;
      if (address.readIp(item.text()) && address.isReachable()) addAddress(address);
    }
  }

  void addAddress(const Address& address) {
    if (server.addressCount < MAX_ADDRESSES && !server.lists(address)) server.addresses[server.addressCount++] = address;
  }

  void readId(Characters characters) {
    uint32_t character = 0;
    while (characters.next(character)) {
      if (character >= '!' && character <= '~') server.id.append(character);
    }
    server.hasId = !server.id.isEmpty();
    if (!server.hasId) server.id.append(server.source.text().c_str());
  }

  static bool readPort(const Json& value, uint16_t& port) {
    double number = 0;
    if (!value.isNumber(number) || !(number >= 1 && number <= 65535)) return false;
    const uint16_t whole = static_cast<uint16_t>(number);
    if (whole != number) return false;
    port = whole;
    return true;
  }
};

}  // namespace halloo
