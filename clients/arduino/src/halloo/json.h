// A reader for JSON that allocates nothing: a value is a part of the text that was parsed.
#pragma once

#include "text.h"

namespace halloo {

/// Checks a text against the grammar of RFC 8259.
class JsonSyntax {
 public:
  JsonSyntax(const char* begin, const char* end) : at_(begin), end_(end) {}

  const char* at() const { return at_; }

  void skipSpace() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) at_++;
  }

  /// Skips one value without the space around it. Returns false if it is invalid.
  bool skipValue(int depth = 0) {
    if (at_ == end_ || depth > MAX_DEPTH) return false;
    switch (*at_) {
      case '{':
      case '[':
        return skipContainer(depth);
      case '"':
        return skipString();
      case 't':
        return skipWord("true");
      case 'f':
        return skipWord("false");
      case 'n':
        return skipWord("null");
      default: {
        double number;
        return readNumber(number);
      }
    }
  }

  bool skipString() {
    if (!take('"')) return false;
    const char* begin = at_;
    while (at_ != end_ && *at_ != '"') at_ += *at_ == '\\' && end_ - at_ > 1 ? 2 : 1;
    Characters characters(begin, at_, true);
    uint32_t character;
    while (characters.next(character)) {
    }
    return characters.isValid() && take('"');
  }

  /// Reads a number. Returns false if it is invalid, or too large for a `double`.
  bool readNumber(double& number) {
    const bool isNegative = take('-');
    const char* begin = at_;
    number = 0;
    while (isDigit()) number = number * 10 + (*at_++ - '0');
    if (at_ == begin || (*begin == '0' && at_ - begin > 1)) return false;
    int exponent = 0;
    if (take('.')) {
      if (!isDigit()) return false;
      for (; isDigit(); exponent--) number = number * 10 + (*at_++ - '0');
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      at_++;
      const bool isSmall = !take('+') && take('-');
      if (!isDigit()) return false;
      int given = 0;
      for (; isDigit(); at_++) given = given < 10000 ? given * 10 + (*at_ - '0') : given;
      exponent += isSmall ? -given : given;
    }
    for (; exponent > 0 && number != 0 && number <= MAX_NUMBER; exponent--) number *= 10;
    for (; exponent < 0 && number != 0; exponent++) number /= 10;
    if (isNegative) number = -number;
    return number <= MAX_NUMBER && number >= -MAX_NUMBER;
  }

  bool take(char expected) {
    if (at_ == end_ || *at_ != expected) return false;
    at_++;
    return true;
  }

 private:
  // A datagram of discovery needs 2; more would only use up the stack of a small device.
  static const int MAX_DEPTH = 16;
  static constexpr double MAX_NUMBER = 1.7e308;

  bool skipContainer(int depth) {
    const bool isObject = *at_++ == '{';
    const char close = isObject ? '}' : ']';
    skipSpace();
    if (take(close)) return true;
    do {
      skipSpace();
      if (isObject) {
        if (!skipString()) return false;
        skipSpace();
        if (!take(':')) return false;
        skipSpace();
      }
      if (!skipValue(depth + 1)) return false;
      skipSpace();
    } while (take(','));
    return take(close);
  }

  bool skipWord(const char* word) {
    while (*word != '\0') {
      if (!take(*word++)) return false;
    }
    return true;
  }

  bool isDigit() const { return at_ != end_ && *at_ >= '0' && *at_ <= '9'; }

  const char* at_;
  const char* end_;
};

/// A value, or nothing. It refers to the text that was parsed.
class Json {
 public:
  Json() : begin_(nullptr), end_(nullptr) {}

  /// Returns the value that the text contains; nothing if it is invalid.
  static Json parse(const char* text, size_t size) {
    JsonSyntax syntax(text, text + size);
    syntax.skipSpace();
    const char* begin = syntax.at();
    if (!syntax.skipValue()) return Json();
    const char* end = syntax.at();
    syntax.skipSpace();
    return syntax.at() == text + size ? Json(begin, end) : Json();
  }

  bool exists() const { return begin_ != end_; }
  bool isObject() const { return exists() && *begin_ == '{'; }
  bool isArray() const { return exists() && *begin_ == '['; }
  bool isText() const { return exists() && *begin_ == '"'; }
  bool isTrue() const { return exists() && *begin_ == 't'; }

  /// Returns the value of a key, the last one if there are several; nothing if there is none.
  Json operator[](const char* key) const {
    Json found, name, value;
    if (!isObject()) return found;
    for (Json rest = *this; rest.nextMember(name, value);) {
      if (name.isEqual(key)) found = value;
    }
    return found;
  }

  /// Moves the first value of an array, or of what is left of it, to `item`. Returns false at the end.
  bool nextItem(Json& item) {
    Json none;
    return nextMember(none, item);
  }

  /// The same for the members of an object.
  bool nextMember(Json& name, Json& value) {
    if (!exists()) return false;
    const char opening = *begin_ == '{' || *begin_ == '[' ? *begin_ : ',';
    JsonSyntax syntax(begin_, end_);
    syntax.take(opening);
    syntax.skipSpace();
    if (*syntax.at() == '}' || *syntax.at() == ']') return false;
    const bool hasNames = end_[-1] == '}';
    if (hasNames) {
      name.begin_ = syntax.at();
      syntax.skipString();
      name.end_ = syntax.at();
      syntax.skipSpace();
      syntax.take(':');
      syntax.skipSpace();
    }
    value.begin_ = syntax.at();
    syntax.skipValue();
    value.end_ = syntax.at();
    syntax.skipSpace();
    begin_ = syntax.at();
    return true;
  }

  /// Returns the characters of a text; none for another value.
  Characters text() const { return isText() ? Characters(begin_ + 1, end_ - 1, true) : Characters(); }

  /// Returns whether it is this text, of ASCII.
  bool isEqual(const char* other) const {
    if (!isText()) return false;
    Characters characters = text();
    uint32_t character = 0;
    while (characters.next(character)) {
      if (*other == '\0' || static_cast<uint8_t>(*other++) != character) return false;
    }
    return *other == '\0';
  }

  /// Returns whether it is a number, and sets `number` to it.
  bool isNumber(double& number) const {
    if (!exists() || (*begin_ != '-' && (*begin_ < '0' || *begin_ > '9'))) return false;
    return JsonSyntax(begin_, end_).readNumber(number);
  }

 private:
  Json(const char* begin, const char* end) : begin_(begin), end_(end) {}

  const char* begin_;
  const char* end_;
};

}  // namespace halloo
