using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace HallooClient
{
    /// <summary>
    /// Reads JSON (RFC 8259) into dictionaries, lists, strings, numbers of type double, booleans and null. .NET Standard 2.1
    /// has no reader for JSON.
    /// </summary>
    internal sealed class Json
    {
        private const int MaxDepth = 32;

        private static readonly Encoding StrictUtf8 = new UTF8Encoding(false, true);

        private readonly string text;
        private int at;

        private Json(string text) => this.text = text;

        /// <summary>Returns an object; null if the bytes are anything else.</summary>
        public static Dictionary<string, object> ParseObject(byte[] bytes)
        {
            try
            {
                return Parse(StrictUtf8.GetString(bytes)) as Dictionary<string, object>;
            }
            catch (Exception error) when (error is FormatException || error is ArgumentException)
            {
                return null;
            }
        }

        /// <summary>Returns a value, or throws a FormatException.</summary>
        public static object Parse(string text)
        {
            var json = new Json(text);
            var value = json.Value(0);
            json.SkipSpace();
            return json.at == text.Length ? value : throw new FormatException();
        }

        private char Current => at < text.Length ? text[at] : '\0';

        private void SkipSpace()
        {
            while (at < text.Length && " \t\r\n".IndexOf(text[at]) >= 0) at++;
        }

        private void Expect(string word)
        {
            if (string.CompareOrdinal(text, at, word, 0, word.Length) != 0) throw new FormatException();
            at += word.Length;
        }

        private bool Take(char expected)
        {
            SkipSpace();
            if (Current != expected || at >= text.Length) return false;
            at++;
            return true;
        }

        private object Value(int depth)
        {
            if (depth > MaxDepth) throw new FormatException();
            SkipSpace();
            switch (Current)
            {
                case '{': return Object(depth);
                case '[': return Array(depth);
                case '"': return String();
                case 't': Expect("true"); return true;
                case 'f': Expect("false"); return false;
                case 'n': Expect("null"); return null;
                default: return Number();
            }
        }

        private Dictionary<string, object> Object(int depth)
        {
            var members = new Dictionary<string, object>();
            at++;
            if (Take('}')) return members;
            do
            {
                SkipSpace();
                var name = String();
                if (!Take(':')) throw new FormatException();
                members[name] = Value(depth + 1);
            }
            while (Take(','));
            return Take('}') ? members : throw new FormatException();
        }

        private List<object> Array(int depth)
        {
            var items = new List<object>();
            at++;
            if (Take(']')) return items;
            do items.Add(Value(depth + 1));
            while (Take(','));
            return Take(']') ? items : throw new FormatException();
        }

        private string String()
        {
            Expect("\"");
            var result = new StringBuilder();
            while (Current != '"')
            {
                var character = Current;
                if (character < ' ') throw new FormatException();
                at++;
                result.Append(character == '\\' ? Escape() : character);
            }
            at++;
            var value = result.ToString();
            // Half of a surrogate pair is no character.
            for (var i = 0; i < value.Length; i++)
            {
                if (!char.IsSurrogate(value[i])) continue;
                if (!char.IsSurrogatePair(value, i)) throw new FormatException();
                i++;
            }
            return value;
        }

        private char Escape()
        {
            var kind = Current;
            at++;
            var simple = "\"\\/bfnrt".IndexOf(kind);
            if (simple >= 0 && kind != '\0') return "\"\\/\b\f\n\r\t"[simple];
            if (kind != 'u' || at + 4 > text.Length) throw new FormatException();
            var digits = text.Substring(at, 4);
            at += 4;
            if (!ushort.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit))
            {
                throw new FormatException();
            }
            return (char)unit;
        }

        private double Number()
        {
            var start = at;
            if (Current == '-') at++;
            var digits = at;
            SkipDigits();
            if (text[digits] == '0' && at - digits > 1) throw new FormatException();
            if (Current == '.')
            {
                at++;
                SkipDigits();
            }
            if (Current == 'e' || Current == 'E')
            {
                at++;
                if (Current == '+' || Current == '-') at++;
                SkipDigits();
            }
            var isNumber = double.TryParse(
                text.Substring(start, at - start), NumberStyles.Float, CultureInfo.InvariantCulture, out var number);
            return isNumber && !double.IsInfinity(number) ? number : throw new FormatException();
        }

        private void SkipDigits()
        {
            var start = at;
            while (Current >= '0' && Current <= '9') at++;
            if (at == start) throw new FormatException();
        }
    }
}
