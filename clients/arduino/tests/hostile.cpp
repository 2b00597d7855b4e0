// Gives changed datagrams and responses to the library, built with sanitizers: it must neither crash nor list too much. The
// argument is the directory of the test vectors, whose datagrams are changed.

#include <halloo.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using namespace halloo;

static uint32_t nextRandom() {
  static uint64_t state = 0x9E3779B97F4A7C15;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return static_cast<uint32_t>(state >> 32);
}

static size_t below(size_t limit) { return randomUpTo(static_cast<uint32_t>(limit - 1), nextRandom); }

/// Replaces, inserts or removes a few bytes, often those of the syntax.
static std::string changed(std::string text) {
  static const char bytes[] = "{}[]\",:\\u019e.-+ \r\n=\xff\xc3\xed\xe2\xf4\x80";
  for (size_t changes = below(4); changes > 0 && !text.empty(); changes--) {
    const size_t at = below(text.size());
    const char byte = below(4) == 0 ? static_cast<char>(nextRandom()) : bytes[below(sizeof(bytes))];
    switch (below(3)) {
      case 0:
        text[at] = byte;
        break;
      case 1:
        text.insert(at, 1 + below(3), byte);
        break;
      default:
        text.erase(at, 1 + below(8));
    }
  }
  return text;
}

/// A copy of exactly this size, so that a read beyond its end is noticed.
static std::vector<char> exactly(const std::string& text) { return std::vector<char>(text.begin(), text.end()); }

static std::vector<std::string> datagrams(const char* directory) {
  std::ifstream stream(std::string(directory) + "/datagrams.json");
  const std::string file((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  std::vector<std::string> found;
  Json test;
  for (Json rest = Json::parse(file.data(), file.size())["cases"]; rest.nextItem(test);) {
    Characters characters = test["datagram"].text();
    std::string text;
    for (uint32_t character = 0; characters.next(character);) {
      if (character < 0x80) text += static_cast<char>(character);
    }
    found.push_back(text);
  }
  return found;
}

int main(int, char** arguments) {
  const std::vector<std::string> seeds = datagrams(arguments[1]);
  int listed = 0;
  for (int search = 0; search < 40; search++) {
    Finder finder(search % 2 == 0 ? "den" : "");
    finder.start(0, nextRandom);
    Text<640> problem;
    for (uint32_t now = 0; now < 200; now++) {
      std::string datagram = changed(seeds[below(seeds.size())]);
      const size_t nonce = datagram.find("b64e21");
      if (nonce != std::string::npos) datagram.replace(nonce, 6, finder.nonce().c_str());
      const std::vector<char> bytes = exactly(datagram);
      const Address from = {{10, 0, 0, static_cast<uint8_t>(below(20))}, 8766};
      finder.handleDatagram(bytes.data(), bytes.size(), from, now);
      finder.poll(now);
      finder.describe(problem);
    }
    if (finder.count() > Finder::MAX_SERVERS) return 1;
    listed += finder.count();
  }
  TokenCheck check;
  const uint8_t nonce[16] = {};
  int challenged = 0;
  for (int response = 0; response < 5000; response++) {
    check.start("the-otters-meet-at-nine", "a1", response % 2 == 0 ? "x" : "", nonce);
    const std::string text = changed(
        "HTTP/1.1 401 Unauthorized\r\nHalloo-Proof: x\r\n"
        "WWW-Authenticate: Halloo id=\"a1\", challenge=\"y\", stale=true\r\n\r\n");
    for (char byte : text) check.handleByte(byte);
    check.handleEnd();
    challenged += check.result() == TokenCheck::CHALLENGED;
    if (check.result() == TokenCheck::PENDING || check.result() == TokenCheck::PROVEN) return 1;
  }
  check.start("the-otters-meet-at-nine", "a1", "x", nonce);
  for (int i = 0; i < 1000000; i++) check.handleByte('x');
  if (check.result() != TokenCheck::FAILED) return 1;
  printf("%d servers listed, %d challenges\n", listed, challenged);
  return listed > 0 && challenged > 0 ? 0 : 1;
}
