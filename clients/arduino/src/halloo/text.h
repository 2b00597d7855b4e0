// Characters, and texts of a fixed size.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace halloo {

/// Reads the characters of a text in UTF-8 or, with `hasEscapes`, of a string in JSON.
class Characters {
 public:
  Characters() : at_(nullptr), end_(nullptr), hasEscapes_(false), isValid_(true) {}
  Characters(const char* begin, const char* end, bool hasEscapes)
      : at_(begin), end_(end), hasEscapes_(hasEscapes), isValid_(true) {}
  explicit Characters(const char* text) : Characters(text, text + strlen(text), false) {}

  /// Reads the next character. Returns false at the end, and at an invalid one.
  bool next(uint32_t& character) {
    if (at_ == end_) return false;
    isValid_ = hasEscapes_ && *at_ == '\\' ? readEscape(character) : readUtf8(character);
    if (!isValid_) at_ = end_;
    return isValid_;
  }

  /// Returns whether all characters so far were valid.
  bool isValid() const { return isValid_; }

 private:
  bool readUtf8(uint32_t& character) {
    const uint8_t first = static_cast<uint8_t>(*at_++);
    if (first < 0x80) {
      character = first;
      return !(hasEscapes_ && first < 0x20);
    }
    const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    if (first < 0xC2 || first > 0xF4 || end_ - at_ < more) return false;
    character = first & (0x3F >> more);
    for (int i = 0; i < more; i++) {
      const uint8_t byte = static_cast<uint8_t>(*at_++);
      if ((byte & 0xC0) != 0x80) return false;
      character = character << 6 | (byte & 0x3F);
    }
    static const uint32_t least[] = {0x80, 0x800, 0x10000};
    return character >= least[more - 1] && character <= 0x10FFFF && !isSurrogate(character);
  }

  bool readEscape(uint32_t& character) {
    if (end_ - ++at_ < 1) return false;
    static const char escapes[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char kind = *at_++;
    if (kind != 'u') {
      const char* found = kind == '\0' ? nullptr : strchr(escapes, kind);
      if (found == nullptr) return false;
      character = static_cast<uint8_t>(meanings[found - escapes]);
      return true;
    }
    if (!readHex(character)) return false;
    if (!isSurrogate(character)) return true;
    uint32_t low = 0;
    if (character >= 0xDC00 || end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') return false;
    at_ += 2;
    if (!readHex(low) || low < 0xDC00 || low > 0xDFFF) return false;
    character = 0x10000 + ((character - 0xD800) << 10) + (low - 0xDC00);
    return true;
  }

  bool readHex(uint32_t& value) {
    if (end_ - at_ < 4) return false;
    value = 0;
    for (int i = 0; i < 4; i++) {
      const char digit = *at_++;
      if (digit >= '0' && digit <= '9') {
        value = value << 4 | static_cast<uint32_t>(digit - '0');
      } else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f') {
        value = value << 4 | static_cast<uint32_t>((digit | 0x20) - 'a' + 10);
      } else {
        return false;
      }
    }
    return true;
  }

  static bool isSurrogate(uint32_t character) { return character >= 0xD800 && character <= 0xDFFF; }

  const char* at_;
  const char* end_;
  bool hasEscapes_;
  bool isValid_;
};

/// A text in UTF-8 of at most `Capacity` bytes. What does not fit is left out, in whole characters.
template <size_t Capacity>
class Text {
 public:
  Text() { clear(); }

  const char* c_str() const { return bytes_; }
  size_t size() const { return size_; }
  bool isEmpty() const { return size_ == 0; }

  void clear() {
    size_ = 0;
    bytes_[0] = '\0';
  }

  bool operator==(const char* other) const { return strcmp(bytes_, other) == 0; }
  bool operator!=(const char* other) const { return !(*this == other); }

  /// Appends a character. Returns false if there is no space left for it.
  bool append(uint32_t character) {
    char encoded[4];
    const int count = encode(character, encoded);
    if (size_ + static_cast<size_t>(count) > Capacity) return false;
    memcpy(bytes_ + size_, encoded, static_cast<size_t>(count));
    size_ += static_cast<size_t>(count);
    bytes_[size_] = '\0';
    return true;
  }

  Text& append(const char* text) {
    Characters characters(text);
    uint32_t character = 0;
    while (characters.next(character) && append(character)) {
    }
    return *this;
  }

  Text& appendNumber(uint32_t number) {
    char digits[11];
    char* at = digits + 10;
    *at = '\0';
    do {
      *--at = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    return append(at);
  }

 private:
  static int encode(uint32_t character, char* out) {
    const int more = character >= 0x10000 ? 3 : character >= 0x800 ? 2 : character >= 0x80 ? 1 : 0;
    if (more == 0) {
      out[0] = static_cast<char>(character);
      return 1;
    }
    for (int i = more; i > 0; i--) {
      out[i] = static_cast<char>(0x80 | (character & 0x3F));
      character >>= 6;
    }
    out[0] = static_cast<char>(((0xFF00 >> (more + 1)) & 0xFF) | character);
    return more + 1;
  }

  char bytes_[Capacity + 1];
  size_t size_;
};

}  // namespace halloo
