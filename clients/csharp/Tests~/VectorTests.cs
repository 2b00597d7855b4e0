using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Text;

namespace HallooClient.Tests
{
    using Case = Dictionary<string, object>;

    /// <summary>Runs the test vectors with the code of the package. The argument is their directory.</summary>
    internal static class VectorTests
    {
        private static readonly Dictionary<string, Func<Case, object>> Runs = new Dictionary<string, Func<Case, object>>
        {
            ["addresses"] = Address,
            ["close-codes"] = test => Ending.IsFinalCode(Int(test, "code")) ? "end" : "pause",
            ["clusters"] = Cluster,
            ["datagrams"] = Datagram,
            ["endings"] = EndOf,
            ["liveness"] = Liveness,
            ["messages"] = Messages,
            ["names"] = Name,
            ["pauses"] = Pauses,
            ["probe-times"] = ProbeTimes,
            ["probes"] = test => Probe(Sighting.Probe(Text(test, "nonce"), Text(test, "ip"))),
            ["proofs"] = Proof,
            ["queue"] = Queue,
            ["responses"] = Response,
            ["rooms"] = Room,
            ["statuses"] = test => Ending.IsFinalStatus(Int(test, "status")) ? "end" : "pause",
        };

        private static int Main(string[] arguments)
        {
            var failures = 0;
            foreach (var run in Runs)
            {
                var file = File.ReadAllBytes(Path.Combine(arguments[0], run.Key + ".json"));
                var document = Json.ParseObject(file);
                var cases = ((List<object>)document["cases"]).Cast<Case>().ToList();
                foreach (var test in cases)
                {
                    var result = Show(run.Value(test));
                    if (result == Show(test["expect"]) && Int(document, "version") == 1) continue;
                    failures++;
                    Console.WriteLine($"{run.Key}: {test["name"]}: {result} instead of {Show(test["expect"])}: {test["why"]}");
                }
                Console.WriteLine($"{run.Key}: {cases.Count} cases");
            }
            return failures == 0 ? 0 : 1;
        }

        /// <summary>Returns a value as JSON with sorted keys.</summary>
        private static string Show(object value)
        {
            if (value == null) return "null";
            if (value is string) return "\"" + value + "\"";
            if (value is bool) return (bool)value ? "true" : "false";
            if (value is Dictionary<string, string> texts) value = texts.ToDictionary(one => one.Key, one => (object)one.Value);
            if (value is Case members)
            {
                var sorted = members.OrderBy(one => one.Key, StringComparer.Ordinal);
                return "{" + string.Join(",", sorted.Select(one => one.Key + ":" + Show(one.Value))) + "}";
            }
            if (value is System.Collections.IEnumerable items)
            {
                return "[" + string.Join(",", items.Cast<object>().Select(Show)) + "]";
            }
            return Convert.ToDouble(value).ToString("R");
        }

        private static object Get(Case test, string key) => test.TryGetValue(key, out var value) ? value : null;

        private static string Text(Case test, string key) => Get(test, key) as string;

        private static int Int(Case test, string key) => (int)(double)test[key];

        private static List<object> List(Case test, string key) => Get(test, key) as List<object> ?? new List<object>();

        private static bool Has(Case test, string key, string word) => List(test, key).Contains(word);

        private static byte[] Bytes(string hex)
        {
            var digits = hex.Replace(" ", "");
            return Enumerable.Range(0, digits.Length / 2).Select(i => Convert.ToByte(digits.Substring(2 * i, 2), 16)).ToArray();
        }

        private static string Hex(byte[] bytes) =>
            bytes == null ? null : string.Concat(bytes.Select(one => one.ToString("x2")));

        private static object Address(Case test)
        {
            Target target;
            Url url;
            try
            {
                target = Target.Read(Text(test, "text"));
                url = target.Url;
                if (url != null && Text(test, "room") != null) url = Target.InRoom(url, Text(test, "room"));
            }
            catch (HallooException)
            {
                return new Case { ["error"] = Get((Case)test["expect"], "error") };
            }
            if (url == null) return new Case { ["search"] = target.Name };
            var result = new Case
            {
                ["connect"] = new Case
                {
                    ["tls"] = url.Tls, ["host"] = url.Host, ["zone"] = url.Zone, ["port"] = url.Port, ["token"] = url.Token,
                    ["shown"] = url.Shown, ["fingerprint"] = Hex(url.Fingerprint),
                    ["request"] = new[] { $"GET {url.Resource} HTTP/1.1", $"Host: {url.Authority}" },
                },
            };
            if (target.Name != null) result["or_search"] = target.Name;
            return result;
        }

        private static object Room(Case test)
        {
            try
            {
                return new Case { ["path"] = Target.RoomPath(Text(test, "room")) };
            }
            catch (HallooException)
            {
                return new Case { ["error"] = Get((Case)test["expect"], "error") };
            }
        }

        private static object Datagram(Case test)
        {
            var text = Text(test, "datagram");
            var bytes = text != null ? Encoding.UTF8.GetBytes(text) : Bytes(Text(test, "datagram_hex"));
            var from = Text(test, "from");
            var colon = from.LastIndexOf(':');
            var ip = IPAddress.Parse(from.Substring(0, colon).Trim('[', ']'));
            var source = new IPEndPoint(ip, int.Parse(from.Substring(colon + 1)));
            var seen = Sighting.Read(bytes, source, "b64e21");
            if (seen == null) return null;
            var server = new ServerInfo(seen);
            var result = new Case
            {
                ["id"] = server.Id, ["name"] = server.Name, ["addresses"] = server.Addresses, ["sources"] = server.Sources,
                ["clients"] = server.Clients, ["auth"] = server.Auth, ["tls"] = server.Tls, ["app"] = server.App,
                ["meta"] = server.Meta,
            };
            if (server.Cluster != null) result["cluster"] = server.Cluster;
            return result;
        }

        private static object Cluster(Case test)
        {
            var servers = ((List<object>)test["servers"]).Cast<Case>().ToList();
            var chosen = Names.LeastBusy(servers, one => Text(one, "cluster"), one => (long?)(double?)Get(one, "clients"));
            return chosen == null ? null : chosen["id"];
        }

        private static object Name(Case test)
        {
            var text = Text(test, "text");
            if (Text(test, "app") != null) return new Case { ["same_app"] = Names.IsSameApp(text, Text(test, "app")) };
            if (!test.ContainsKey("servers")) return new Case { ["display"] = Names.Clean(text), ["key"] = Names.Key(text) };
            var servers = List(test, "servers").Cast<Case>();
            return Names.BestMatches(text, servers, one => Text(one, "id"), one => Text(one, "name")).Select(one => one["id"]);
        }

        private static object Probe(byte[] datagram) =>
            new Case { ["bytes"] = datagram.Length, ["datagram"] = Encoding.ASCII.GetString(datagram) };

        private static object ProbeTimes(Case test)
        {
            double first = 0, last = 0;
            ProbeSchedule early = new ProbeSchedule(), late = new ProbeSchedule();
            foreach (var expected in List(test, "expect").Cast<Case>())
            {
                var between = List(expected, "between_ms").Cast<double>().ToList();
                var isWithin = first * 1000 - 1 <= between[0] && between[1] <= last * 1000 + 1;
                bool isWide;
                first += early.Next(0, out isWide);
                last += late.Next(1, out isWide);
                if (!isWithin || isWide != (bool)expected["all_ports"]) return $"{first} to {last}, {isWide}";
            }
            return test["expect"];
        }

        private static Exchange Begin(Case test) =>
            Exchange.Begin(Text(test, "token"), Text(test, "id"), Text(test, "challenge"), Bytes(Text(test, "nonce_hex")));

        private static object Proof(Case test)
        {
            var exchange = Begin(test);
            if (exchange == null) return null;
            return new Case
            {
                ["authorization"] = exchange.Authorization, ["client_proof"] = exchange.ClientProof,
                ["server_proof"] = exchange.ServerProof,
            };
        }

        private static object Response(Case test)
        {
            var kind = Text(test, "credential");
            var handshake = new Handshake
            {
                Key = "dGhlIHNhbXBsZSBub25jZQ==",
                Id = Text(test, "expected_id"), MustConfirm = Equals(Get(test, "must_confirm"), true),
                Exchange = kind == "proof" ? Begin(test) : null, AwaitsChallenge = kind == "await challenge",
                Subprotocols = List(test, "subprotocols").Cast<string>().ToList(),
            };
            var bytes = Encoding.UTF8.GetBytes(Text(test, "response"));
            var response = handshake.Judge(bytes, bytes.Length, true);
            var expected = (Case)test["expect"];
            switch (response.Kind)
            {
                case ResponseKind.Accepted:
                    return new Case
                    {
                        ["accepted"] = new Case
                        {
                            ["confirmed"] = response.IsConfirmed, ["head_bytes"] = response.HeadBytes,
                            ["subprotocol"] = response.Subprotocol,
                        },
                    };
                case ResponseKind.Refused:
                    var challenge = new Case
                    {
                        ["id"] = response.ChallengeId, ["challenge"] = response.Challenge, ["stale"] = response.IsStale,
                    };
                    return new Case
                    {
                        ["refused"] = new Case
                        {
                            ["challenge"] = response.Challenge == null ? null : challenge,
                            ["status"] = response.Status, ["text"] = response.Text,
                        },
                    };
                // These texts may be others.
                case ResponseKind.WrongServer: return new Case { ["wrong_server"] = Get(expected, "wrong_server") };
                case ResponseKind.NoWebSocket: return new Case { ["no_websocket"] = Get(expected, "no_websocket") };
                default: return new Case { ["lost"] = true };
            }
        }

        private static object EndOf(Case test)
        {
            var kinds = new List<string>
            {
                "closed", "refused", "wrong server", "no WebSocket", "certificate not trusted", "certificate not pinned",
                "lost",
            };
            var number = Get(test, "code") ?? Get(test, "status") ?? 0.0;
            var known = new Certainty
            {
                Given = Has(test, "known", "given"), Found = Has(test, "known", "found"), Proven = Has(test, "known", "proven"),
                Stable = Has(test, "known", "stable"), Others = Has(test, "known", "others"),
            };
            var ending = new Ending((EndingKind)kinds.IndexOf(Text(test, "ending")), (int)(double)number);
            return ending.IsFinal(known) ? "end" : "go on";
        }

        private static object Pauses(Case test)
        {
            var attempts = Get(test, "max_attempts") is double most ? (int?)most : null;
            var elapsed = Get(test, "max_elapsed_ms") is double longest ? (double?)longest / 1000 : null;
            Backoff low = new Backoff(0, attempts, elapsed), high = new Backoff(0, attempts, elapsed);
            var results = new List<object>();
            foreach (var step in List(test, "steps").Cast<Case>())
            {
                if (Get(step, "connected_ms") is double connected)
                {
                    low.HandleConnected(connected / 1000);
                    high.HandleConnected(connected / 1000);
                    continue;
                }
                var now = (double)step["failed_ms"] / 1000;
                double? first = low.HandleFailure(now, 0), last = high.HandleFailure(now, 1);
                if (first == null) results.Add("end");
                else if (last == null) results.Add("pause or end");
                else results.Add(new Case { ["pause_ms"] = new[] { first, last }.Select(one => Math.Round(one.Value * 1000)) });
            }
            return results;
        }

        private static object Queue(Case test)
        {
            var queue = new SendQueue(Int(test, "max_messages"), Int(test, "max_bytes"));
            var sends = List(test, "sends").Cast<string>().ToList();
            var results = sends.Select(text => queue.Push(new Message(text)) ? "queued" : "full").ToList();
            var queued = sends.Where((_, i) => results[i] == "queued");
            return queued.All(text => queue.Pop().Text == text) ? (object)results : "another order";
        }

        private static object Messages(Case test)
        {
            var limit = Get(test, "max_message_bytes") is double bytes ? (long)bytes : 1 << 20;
            var reader = new FrameReader(limit, Get(test, "max_fragments") is double most ? (int)most : 1024);
            var results = new List<object>();
            try
            {
                // Byte by byte, so that every state is met.
                foreach (var one in Bytes(Text(test, "frames_hex")))
                {
                    reader.Add(new[] { one }, 0, 1);
                    for (var frame = reader.Next(); frame != null; frame = reader.Next()) results.Add(Show(frame));
                }
            }
            catch (ProtocolException error)
            {
                results.Add(new Case { ["close_with"] = error.Code, ["reason"] = error.Message });
            }
            return results;
        }

        private static object Show(Frame frame)
        {
            switch (frame.Kind)
            {
                case FrameKind.Ping: return new Case { ["answer_with_pong_hex"] = Hex(frame.Payload) };
                case FrameKind.Pong: return "sign of life";
                case FrameKind.Close: return new Case { ["closed_with"] = frame.Code, ["reason"] = frame.Reason };
                default:
                    return frame.Message.IsText
                        ? new Case { ["text"] = frame.Message.Text }
                        : new Case { ["binary_hex"] = Hex(frame.Message.Binary) };
            }
        }

        private static object Liveness(Case test)
        {
            var actions = new List<object>();
            var keepalive = new Keepalive(0, (double)test["heartbeat_ms"] / 1000);
            var steps = new Queue<Case>(List(test, "steps").Cast<Case>());
            for (double now = 0, due; ; )
            {
                var action = keepalive.Poll(now, out due);
                if (action != KeepaliveAction.Wait)
                {
                    var name = action.ToString().ToLowerInvariant();
                    actions.Add(new Case { ["at_ms"] = Math.Round(now * 1000), ["action"] = name });
                    if (action == KeepaliveAction.Dead) return actions;
                    continue;
                }
                var step = steps.Count > 0 && (double)steps.Peek()["at_ms"] / 1000 <= due ? steps.Dequeue() : null;
                now = step != null ? (double)step["at_ms"] / 1000 : due;
                if (now > (double)test["until_ms"] / 1000) return actions;
                switch (step == null ? null : Text(step, "what"))
                {
                    case "bytes":
                        keepalive.HandleBytes(now);
                        break;
                    case "pong":
                        keepalive.HandlePong(now);
                        break;
                    case "asleep":
                        now = (double)step["until_ms"] / 1000;
                        keepalive.HandleWait(now, due);
                        break;
                    case "stops reading":
                        keepalive.Pause(true, now);
                        break;
                    case "reads again":
                        keepalive.Pause(false, now);
                        break;
                }
            }
        }
    }
}
