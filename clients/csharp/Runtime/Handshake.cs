using System;
using System.Collections.Generic;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace HallooClient
{
    internal enum ResponseKind
    {
        Accepted,
        Refused,
        WrongServer,
        NoWebSocket,
        Lost,
    }

    /// <summary>What a response to the handshake says.</summary>
    internal sealed class HandshakeResponse
    {
        public ResponseKind Kind;

        /// <summary>Why it is not accepted, or the text of a refusal, escaped.</summary>
        public string Text = "";

        public int Status;

        /// <summary>Whether the server confirmed its id.</summary>
        public bool IsConfirmed;

        public string Subprotocol;

        /// <summary>After how many bytes frames begin.</summary>
        public int HeadBytes;

        /// <summary>The challenge of a refusal, if it has a valid one.</summary>
        public string ChallengeId, Challenge;

        public bool IsStale;
    }

    /// <summary>The opening handshake of a WebSocket (RFC 6455 section 4): what is asked, and what is expected.</summary>
    internal sealed class Handshake
    {
        private const int MaxResponseBytes = 8192, MaxTextBytes = 300;

        public Url Url;

        /// <summary>The id of the server, if it is known.</summary>
        public string Id;

        /// <summary>Whether it is the wrong server if it does not confirm its id.</summary>
        public bool MustConfirm;

        /// <summary>A token that is sent, by TLS.</summary>
        public string Token;

        /// <summary>The proof of the token.</summary>
        public Exchange Exchange;

        /// <summary>Whether there is a token, and the challenge for it is expected in the response.</summary>
        public bool AwaitsChallenge;

        public IReadOnlyList<string> Subprotocols = new string[0];

        public string Key;

        /// <summary>Returns a random key.</summary>
        public static string NewKey()
        {
            var bytes = new byte[16];
            using (var random = RandomNumberGenerator.Create()) random.GetBytes(bytes);
            return Convert.ToBase64String(bytes);
        }

        public string Request
        {
            get
            {
                var lines = new List<string>
                {
                    $"GET {Url.Resource} HTTP/1.1", $"Host: {Url.Authority}", "Upgrade: websocket", "Connection: Upgrade",
                    $"Sec-WebSocket-Key: {Key}", "Sec-WebSocket-Version: 13",
                };
                if (Subprotocols.Count > 0) lines.Add($"Sec-WebSocket-Protocol: {string.Join(", ", Subprotocols)}");
                if (Exchange != null) lines.Add($"Authorization: {Exchange.Authorization}");
                else if (Token != null) lines.Add($"Authorization: Bearer {Token}");
                if (Id != null) lines.Add($"Halloo-Id: {Id}");
                return string.Join("\r\n", lines) + "\r\n\r\n";
            }
        }

        /// <summary>
        /// Returns what the bytes that were received say, or null if more are needed. <paramref name="isEnd"/> is whether the
        /// server has closed the connection.
        /// </summary>
        public HandshakeResponse Judge(byte[] bytes, int count, bool isEnd)
        {
            var text = Encoding.GetEncoding("ISO-8859-1").GetString(bytes, 0, count);
            var beginning = text.Substring(0, Math.Min(7, count));
            if (!"HTTP/1.".StartsWith(beginning, StringComparison.Ordinal)) return No("it does not speak HTTP");
            var start = 0;
            while (true)
            {
                var end = text.IndexOf("\r\n\r\n", start, StringComparison.Ordinal);
                if (end < 0 && count > MaxResponseBytes) return No("its response is too long");
                if (end < 0) return isEnd ? new HandshakeResponse { Kind = ResponseKind.Lost } : null;
                var lines = text.Substring(start, end - start).Split(new[] { "\r\n" }, StringSplitOptions.None);
                var status = Regex.Match(lines[0], @"\AHTTP/1\.[01] ([0-9]{3})(?: (.*))?\z");
                if (!status.Success) return No("it does not speak HTTP");
                var headers = new Headers(lines.Skip(1));
                var number = int.Parse(status.Groups[1].Value);
                start = end + 4;
                if (number == 101) return JudgeUpgrade(headers, start);
                if (number >= 200) return Refusal(number, status.Groups[2].Value, headers, bytes, start, count, isEnd);
            }
        }

        private HandshakeResponse JudgeUpgrade(Headers headers, int headBytes)
        {
            if (!headers.HasToken("Upgrade", "websocket")) return No("its response lacks `Upgrade: websocket`");
            if (!headers.HasToken("Connection", "upgrade")) return No("its response lacks `Connection: Upgrade`");
            if (headers.Single("Sec-WebSocket-Accept") != Accept(Key))
            {
                return No("its Sec-WebSocket-Accept does not match the key, so the response is for another request");
            }
            if (headers.All("Sec-WebSocket-Extensions").Any()) return No("it uses an extension that was not offered");
            var chosen = headers.All("Sec-WebSocket-Protocol");
            if (chosen.Count > 1 || chosen.Except(Subprotocols).Any()) return No("it chose a subprotocol that was not offered");
            var ids = headers.All("Halloo-Id");
            var isConfirmed = Id != null && ids.Count == 1 && ids[0] == Id;
            if (Id != null && !isConfirmed && (ids.Count > 0 || MustConfirm))
            {
                return Wrong("it is not the server that was found, so the address belongs to another one now");
            }
            if (AwaitsChallenge)
            {
                return Wrong(
                    "it did not ask for a token, so it may be an impostor; if it is the right server, connect without a token");
            }
            if (Exchange != null && !Exchange.IsServerProof(headers.Single("Halloo-Proof") ?? ""))
            {
                return Wrong("it did not prove that it knows the token, so it may be an impostor");
            }
            return new HandshakeResponse
            {
                Kind = ResponseKind.Accepted,
                IsConfirmed = isConfirmed,
                Subprotocol = chosen.FirstOrDefault(),
                HeadBytes = headBytes,
            };
        }

        private static HandshakeResponse Refusal(
            int status, string phrase, Headers headers, byte[] bytes, int start, int count, bool isEnd)
        {
            var types = headers.All("Content-Type");
            var isText = types.Any(type => type.StartsWith("text/plain", StringComparison.OrdinalIgnoreCase));
            var size = isText ? Math.Min(count - start, MaxTextBytes) : 0;
            var hasLength = int.TryParse(headers.Single("Content-Length"), out var length);
            var isComplete = isEnd || !isText || size == MaxTextBytes || (hasLength && size >= length);
            if (!isComplete) return null;
            if (hasLength) size = Math.Max(0, Math.Min(size, length));
            var body = Encoding.UTF8.GetString(bytes, start, size).Trim();
            var response = new HandshakeResponse { Kind = ResponseKind.Refused, Status = status };
            response.Text = Names.Escape(body != "" ? body : phrase);
            var location = headers.Single("Location");
            if (status < 400 && status >= 300 && location != null)
            {
                var shown = Names.Escape(Target.HideToken(location));
                response.Text += $"; the server redirects to {shown}, so connect to that address if you trust it";
            }
            if (status == 401) ReadChallenge(headers, response);
            return response;
        }

        private static void ReadChallenge(Headers headers, HandshakeResponse response)
        {
            var asked = headers.All("WWW-Authenticate").FirstOrDefault(
                one => one.StartsWith("Halloo ", StringComparison.OrdinalIgnoreCase));
            if (asked == null || !Exchange.IsChallenge(Parameter(asked, "id"), Parameter(asked, "challenge"))) return;
            response.ChallengeId = Parameter(asked, "id");
            response.Challenge = Parameter(asked, "challenge");
            response.IsStale = Parameter(asked, "stale") == "true";
        }

        private static string Parameter(string value, string name) =>
            Regex.Match(value, $"[ ,]{name}=\"?([^\",]*)", RegexOptions.IgnoreCase).Groups[1].Value;

        private static string Accept(string key)
        {
            using (var sha = SHA1.Create())
            {
                var bytes = Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
                return Convert.ToBase64String(sha.ComputeHash(bytes));
            }
        }

        private static HandshakeResponse No(string text) =>
            new HandshakeResponse { Kind = ResponseKind.NoWebSocket, Text = text };

        private static HandshakeResponse Wrong(string text) =>
            new HandshakeResponse { Kind = ResponseKind.WrongServer, Text = text };

        /// <summary>The headers of a response.</summary>
        private sealed class Headers
        {
            private readonly List<KeyValuePair<string, string>> pairs = new List<KeyValuePair<string, string>>();

            public Headers(IEnumerable<string> lines)
            {
                foreach (var line in lines)
                {
                    var colon = line.IndexOf(':');
                    if (colon < 0) continue;
                    pairs.Add(new KeyValuePair<string, string>(line.Substring(0, colon), line.Substring(colon + 1).Trim()));
                }
            }

            public List<string> All(string name)
            {
                var named = pairs.Where(pair => pair.Key.Equals(name, StringComparison.OrdinalIgnoreCase));
                return named.Select(pair => pair.Value).ToList();
            }

            /// <summary>Returns the value of a header; null if there is none, or several.</summary>
            public string Single(string name)
            {
                var values = All(name);
                return values.Count == 1 ? values[0] : null;
            }

            public bool HasToken(string name, string token)
            {
                var tokens = All(name).SelectMany(value => value.Split(',')).Select(one => one.Trim());
                return tokens.Contains(token, StringComparer.OrdinalIgnoreCase);
            }
        }
    }
}
