// Runs the test vectors with the code of the library. The argument is their directory.

#include <halloo.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

using namespace halloo;

static std::string textOf(const Json& value) {
  std::string text;
  Characters characters = value.text();
  uint32_t character = 0;
  while (characters.next(character)) {
    Text<4> encoded;
    encoded.append(character);
    text += character == 0 ? std::string(1, '\0') : encoded.c_str();
  }
  return text;
}

static long numberOf(const Json& value) {
  double number = -1;
  value.isNumber(number);
  return static_cast<long>(number);
}

static std::string bytesOf(const Json& value) {
  std::string bytes, digits;
  for (char digit : textOf(value)) {
    if (digit != ' ') digits += digit;
  }
  for (size_t i = 0; i + 1 < digits.size(); i += 2) bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

static bool has(const Json& list, const char* text) {
  Json item;
  for (Json rest = list; rest.nextItem(item);) {
    if (item.isEqual(text)) return true;
  }
  return false;
}

/// Returns the strings of a list, each followed by a line feed.
static std::string lines(const Json& list, bool (*isLeftOut)(const std::string&) = nullptr) {
  std::string lines;
  Json item;
  for (Json rest = list; rest.nextItem(item);) {
    const std::string text = textOf(item);
    if (isLeftOut == nullptr || !isLeftOut(text)) lines += text + "\n";
  }
  return lines;
}

enum Outcome { SAME, DIFFERENT, LEFT_OUT };

static Outcome same(bool isSame) { return isSame ? SAME : DIFFERENT; }

static Outcome verdict(bool isEnd, const Json& expected, const char* otherwise) {
  return same(expected.isEqual(isEnd ? "end" : otherwise));
}

static Outcome closeCode(const Json& test) {
  return verdict(isFinalCode(static_cast<int>(numberOf(test["code"]))), test["expect"], "pause");
}

static Outcome status(const Json& test) {
  return verdict(isFinalStatus(static_cast<int>(numberOf(test["status"]))), test["expect"], "pause");
}

static Outcome ending(const Json& test) {
  static const char* const kinds[] = {
      "closed", "refused", "wrong server", "no WebSocket", "certificate not trusted", "certificate not pinned", "lost"};
  int kind = 0;
  while (!test["ending"].isEqual(kinds[kind])) kind++;
  const Json number = test["code"].exists() ? test["code"] : test["status"];
  Certainty known;
  known.given = has(test["known"], "given");
  known.found = has(test["known"], "found");
  known.proven = has(test["known"], "proven");
  known.stable = has(test["known"], "stable");
  known.others = has(test["known"], "others");
  const Ending ending = {static_cast<Ending::Kind>(kind), static_cast<int>(numberOf(number))};
  return verdict(ending.isFinal(known), test["expect"], "go on");
}

static uint32_t smallest() { return 0; }

static uint32_t largest() { return 0xFFFFFFFF; }

/// The pauses are tried with the smallest and the largest random number.
static Outcome pauses(const Json& test) {
  const uint32_t attempts = test["max_attempts"].exists() ? static_cast<uint32_t>(numberOf(test["max_attempts"])) : 0;
  const uint32_t elapsed = test["max_elapsed_ms"].exists() ? static_cast<uint32_t>(numberOf(test["max_elapsed_ms"])) : 0;
  // The clock overflows meanwhile.
  const uint32_t start = 0xFFFFF000;
  Backoff shortest(start, attempts, elapsed), longest(start, attempts, elapsed);
  Json step, expected, steps = test["steps"], expectations = test["expect"];
  while (steps.nextItem(step)) {
    if (step["connected_ms"].exists()) {
      shortest.handleConnected(start + static_cast<uint32_t>(numberOf(step["connected_ms"])));
      longest.handleConnected(start + static_cast<uint32_t>(numberOf(step["connected_ms"])));
      continue;
    }
    const uint32_t now = start + static_cast<uint32_t>(numberOf(step["failed_ms"]));
    if (!expectations.nextItem(expected)) return DIFFERENT;
    uint32_t least = 0, most = 0;
    const bool mayGoOn = shortest.handleFailure(now, smallest, least);
    const bool goesOn = longest.handleFailure(now, largest, most);
    Json range = expected["pause_ms"], first, last;
    if (!range.nextItem(first) || !range.nextItem(last)) {
      const bool isEnd = expected.isEqual("end");
      if (goesOn || mayGoOn == isEnd) return DIFFERENT;
      continue;
    }
    if (!goesOn || least != static_cast<uint32_t>(numberOf(first)) || most != static_cast<uint32_t>(numberOf(last))) {
      return DIFFERENT;
    }
  }
  return SAME;
}

static Outcome probe(const Json& test) {
  if (test["ip"].exists()) return LEFT_OUT;  // IPv6
  Nonce nonce;
  nonce.append(textOf(test["nonce"]).c_str());
  char datagram[PROBE_SIZE];
  writeProbe(nonce, datagram);
  return same(std::string(datagram, sizeof(datagram)) == textOf(test["expect"]["datagram"]));
}

static Outcome probeTimes(const Json& test) {
  Json expected, expectations = test["expect"];
  ProbeSchedule early, late;
  early.start(0);
  late.start(0);
  uint32_t first = 0, last = 0;
  while (expectations.nextItem(expected)) {
    while (!early.poll(first, smallest)) first++;
    while (!late.poll(last, largest)) last++;
    Json range = expected["between_ms"], from, to;
    range.nextItem(from);
    range.nextItem(to);
    const bool isWide = early.lastPort() == LAST_DISCOVERY_PORT;
    const bool isWithin = static_cast<long>(first) <= numberOf(from) + 1 && numberOf(to) <= static_cast<long>(last) + 1;
    if (!isWithin || isWide != expected["all_ports"].isTrue()) return DIFFERENT;
  }
  return SAME;
}

static Outcome room(const Json& test) {
  RoomPath path;
  const bool isValid = readRoom(textOf(test["room"]).c_str(), path);
  return same(isValid ? test["expect"]["path"].isEqual(path.c_str()) : test["expect"]["error"].exists());
}

static Outcome proof(const Json& test) {
  uint8_t nonce[16];
  memcpy(nonce, bytesOf(test["nonce_hex"]).data(), sizeof(nonce));
  const std::string token = textOf(test["token"]), id = textOf(test["id"]), challenge = textOf(test["challenge"]);
  const Exchange exchange(token.c_str(), id.c_str(), challenge.c_str(), nonce);
  const Json expected = test["expect"];
  if (!expected.isObject()) return same(!exchange.isValid());
  return same(exchange.isValid() && expected["authorization"].isEqual(exchange.authorization().c_str()) &&
              expected["client_proof"].isEqual(exchange.clientProof().c_str()) &&
              exchange.isServerProof(textOf(expected["server_proof"]).c_str()) &&
              !exchange.isServerProof(exchange.clientProof().c_str()));
}

/// What needs the tables of Unicode: composition, special cases, and emoji that consist of several characters.
static bool needsTables(const Json& test) {
  static const char* const names[] = {"composed and decomposed", "sharp s", "display: composed", "display: emoji",
                                      "decomposed name"};
  for (const char* name : names) {
    if (test["name"].isEqual(name)) return true;
  }
  return false;
}

static Outcome name(const Json& test) {
  if (needsTables(test)) return LEFT_OUT;
  const std::string text = textOf(test["text"]);
  const Json expected = test["expect"];
  if (test["app"].exists()) {
    return same(Names::isSameApp(text.c_str(), textOf(test["app"]).c_str()) == expected["same_app"].isTrue());
  }
  if (!test["servers"].exists()) {
    Name display, key;
    Names::clean(test["text"].text(), display);
    Names::readKey(display.c_str(), key);
    return same(textOf(expected["display"]) == display.c_str() && textOf(expected["key"]) == key.c_str());
  }
  int best = 0;
  std::string ids;
  Json server;
  for (Json rest = test["servers"]; rest.nextItem(server);) {
    const std::string id = textOf(server["id"]);
    const int match = Names::match(text.c_str(), id.c_str(), textOf(server["name"]).c_str());
    if (match > best) ids.clear();
    if (match > 0 && match >= best) ids += id + "\n";
    if (match > best) best = match;
  }
  return same(ids == lines(expected));
}

static bool isIpv6(const std::string& address) { return address[0] == '['; }

static Outcome datagram(const Json& test) {
  const std::string source = textOf(test["from"]);
  if (isIpv6(source) || needsTables(test)) return LEFT_OUT;
  const std::string bytes = test["datagram"].exists() ? textOf(test["datagram"]) : bytesOf(test["datagram_hex"]);
  const size_t colon = source.find(':');
  Address from = {};
  from.readIp(Characters(source.data(), source.data() + colon, false));
  from.port = static_cast<uint16_t>(std::stoi(source.substr(colon + 1)));
  Sighting seen;
  const Json expected = test["expect"];
  if (!seen.read(bytes.data(), bytes.size(), from, "b64e21")) return same(!expected.isObject());
  const Server& server = seen.server;
  std::string addresses;
  for (int i = 0; i < server.addressCount; i++) addresses += std::string(server.addresses[i].text().c_str()) + "\n";
  const bool isCounted = server.clients != UNKNOWN_CLIENTS;
  // The largest number stands for an unknown one.
  const long clients = server.clients == UNKNOWN_CLIENTS - 1 ? 0xFFFFFFFF : server.clients;
  double counted = 0;
  return same(expected["id"].isEqual(server.id.c_str()) && textOf(expected["name"]) == server.name.c_str() &&
              addresses == lines(expected["addresses"], isIpv6) && textOf(expected["app"]) == seen.app.c_str() &&
              textOf(expected["cluster"]) == server.cluster.c_str() && expected["auth"].isTrue() == server.auth && expected["tls"].isTrue() == server.tls &&
              lines(expected["sources"]) == std::string(server.source.text().c_str()) + "\n" &&
              expected["clients"].isNumber(counted) == isCounted && (!isCounted || numberOf(expected["clients"]) == clients));
}

static uint32_t notRandom() { return 1; }

static Outcome cluster(const Json& test) {
  Finder finder("den");
  finder.start(0, notRandom);
  Json server;
  Address from = {};
  from.port = 8766;
  uint8_t number = 0;
  for (Json rest = test["servers"]; rest.nextItem(server);) {
    const std::string ip = "10.0.0." + std::to_string(++number);
    from.readIp(Characters(ip.data(), ip.data() + ip.size(), false));
    std::string reply = R"({"service":"websocket_server_reply","name":"den","port":8765,"nonce":")";
    reply += std::string(finder.nonce().c_str()) + R"(","id":")" + textOf(server["id"]) + "\"";
    if (server["cluster"].isText()) reply += R"(,"cluster":")" + textOf(server["cluster"]) + "\"";
    double clients = 0;
    if (server["clients"].isNumber(clients)) reply += ",\"clients\":" + std::to_string(static_cast<long>(clients));
    reply += "}";
    finder.handleDatagram(reply.data(), reply.size(), from, 0);
  }
  const bool isFound = finder.poll(10000) == Finder::FOUND;
  return same(isFound == test["expect"].isText() && (!isFound || test["expect"].isEqual(finder.server()->id.c_str())));
}

static int failures = 0;

static void run(const std::string& directory, const char* file, Outcome (*runCase)(const Json&)) {
  std::ifstream stream(directory + "/" + file + ".json");
  const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  const Json document = Json::parse(text.data(), text.size());
  int passed = 0, leftOut = 0;
  Json test;
  for (Json rest = document["cases"]; rest.nextItem(test);) {
    const Outcome outcome = numberOf(document["version"]) == 1 ? runCase(test) : DIFFERENT;
    passed += outcome == SAME;
    leftOut += outcome == LEFT_OUT;
    if (outcome != DIFFERENT) continue;
    failures++;
    printf("%s: %s: another result: %s\n", file, textOf(test["name"]).c_str(), textOf(test["why"]).c_str());
  }
  if (passed == 0) failures++;
  printf("%s: %d passed, %d left out\n", file, passed, leftOut);
}

int main(int, char** arguments) {
  const std::string directory = arguments[1];
  run(directory, "close-codes", closeCode);
  run(directory, "clusters", cluster);
  run(directory, "datagrams", datagram);
  run(directory, "endings", ending);
  run(directory, "names", name);
  run(directory, "pauses", pauses);
  run(directory, "probe-times", probeTimes);
  run(directory, "probes", probe);
  run(directory, "proofs", proof);
  run(directory, "rooms", room);
  run(directory, "statuses", status);
  return failures == 0 ? 0 : 1;
}
