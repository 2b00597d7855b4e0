using System;
using System.Collections.Concurrent;
using System.Linq;
using System.Threading;

namespace HallooClient.Tests
{
    /// <summary>
    /// A link whose settings are arguments of the form NAME=VALUE. It sends each line of standard input, closes at its end, and
    /// prints what happens.
    /// </summary>
    internal static class LinkProgram
    {
        private static void Main(string[] arguments)
        {
            Run(arguments);
            TestProcess.End();
        }

        private static void Run(string[] arguments)
        {
            var settings = arguments.Select(one => one.Split(new[] { '=' }, 2)).ToLookup(one => one[0], one => one[1]);
            var options = new LinkOptions
            {
                Local = !settings.Contains("wide"),
                DiscoveryPort = int.Parse(settings["port"].Single()),
                Token = settings["token"].FirstOrDefault(),
                Fingerprint = settings["fingerprint"].FirstOrDefault(),
                Room = settings["room"].FirstOrDefault(),
                App = settings["app"].FirstOrDefault(),
                Subprotocols = settings["subprotocol"].ToList(),
                MaxQueuedMessages = int.Parse(settings["queue"].FirstOrDefault() ?? "16384"),
                SearchTimeout = TimeSpan.FromSeconds(1),
            };
            if (settings.Contains("discover"))
            {
                Discover(options);
                return;
            }
            var target = settings["target"].FirstOrDefault();
            if (settings.Contains("times"))
            {
                ConnectOften(target, int.Parse(settings["times"].Single()));
                return;
            }
            var link = Halloo.Connect(target, options);
            link.Opened += url => Console.WriteLine($"open {url}{(link.Subprotocol == null ? "" : " " + link.Subprotocol)}");
            link.Message += message =>
                Console.WriteLine(message.IsText ? $"text {message.Text}" : $"binary {message.Binary.Length}");
            link.Closed += (code, reason) => Console.WriteLine($"close {code} {reason}");
            link.Retry += (error, pause) => Console.WriteLine($"retry {error.Error}: {error.Message}");
            link.GaveUp += error => Console.WriteLine($"gave up {error.Error} {error.Status} {error.Code}: {error.Message}");
            Use(link, settings.Contains("asleep"));
        }

        private static void Use(Link link, bool isAsleep)
        {
            var lines = new BlockingCollection<string>();
            new Thread(() =>
            {
                for (var line = Console.ReadLine(); line != null; line = Console.ReadLine()) lines.Add(line);
                lines.CompleteAdding();
            }).Start();
            while (!lines.IsCompleted)
            {
                // A sleeping application takes nothing until a line arrives.
                if (!isAsleep) link.Poll();
                if (!lines.TryTake(out var line, 1)) continue;
                isAsleep = false;
                Console.WriteLine($"send {(line == "bytes" ? link.Send(new byte[] { 0, 255 }) : link.Send(line))}");
            }
            link.CloseAsync().Wait();
            link.Poll();
            Console.WriteLine($"end {link.State} {link.Send("late")} {link.Lost}");
        }

        private static void Discover(LinkOptions options)
        {
            var timeout = TimeSpan.FromSeconds(0.5);
            var found = Halloo.DiscoverAsync(timeout, options.App, local: options.Local, discoveryPort: options.DiscoveryPort);
            foreach (var server in found.Result.OrderBy(one => one.Name))
            {
                var meta = string.Join(" ", server.Meta.Select(one => $"{one.Key}={one.Value}"));
                Console.WriteLine($"{server.Name} {server.Url} {server.Clients} {server.App} {meta}".Trim());
            }
        }

        /// <summary>Opens and closes many links, and prints whether descriptors or threads are left.</summary>
        private static void ConnectOften(string target, int times)
        {
            var before = 0;
            for (var i = 0; i < times; i++)
            {
                var link = Halloo.Connect(target);
                while (link.State != LinkState.Connected) Thread.Sleep(1);
                if (i % 2 == 0) link.CloseAsync().Wait();
                else link.Dispose();
                // The first ones open what stays, such as the random numbers of the system.
                if (i == 9) before = Descriptors();
            }
            Console.WriteLine(Descriptors() <= before ? "nothing is left" : $"{Descriptors()} descriptors instead of {before}");
        }

        private static int Descriptors() => System.IO.Directory.GetFileSystemEntries("/proc/self/fd").Length;
    }
}
