using System;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;

namespace HallooClient
{
    /// <summary>What a link does at the moment.</summary>
    public enum LinkState
    {
        /// <summary>It looks for the server by its name, or resolves its host.</summary>
        Searching,

        /// <summary>TCP, TLS and the opening handshake.</summary>
        Connecting,

        /// <summary>Messages go both ways.</summary>
        Connected,

        /// <summary>The pause before the next attempt.</summary>
        Waiting,

        /// <summary>For good: there are no more attempts.</summary>
        Closed,
    }

    /// <summary>What happened to a message.</summary>
    public enum SendResult
    {
        /// <summary>It was handed to the connection.</summary>
        Sent,

        /// <summary>It waits for a connection.</summary>
        Queued,

        /// <summary>The queue is full; nothing happened. Send less, or wait.</summary>
        Full,

        /// <summary>The link is closed for good; nothing happened.</summary>
        Closed,
    }

    /// <summary>
    /// A link to a server, which connects again after a failure. Its events are raised by <see cref="Poll"/> on the thread that
    /// calls it; in Unity, that happens in every frame.
    /// </summary>
    public sealed class Link : IDisposable
    {
        private readonly CancellationTokenSource abort = new CancellationTokenSource();
        private readonly Outbox outbox;
        private readonly Inbox inbox;
        private readonly Connector connector;
        private readonly Backoff backoff;
        private readonly Stopwatch clock = Stopwatch.StartNew();
        private readonly Random random = new Random();
        private readonly Task run;
        private volatile string url;
        private volatile bool isClosed;
        private int isConnected;

        internal Link(string target, LinkOptions options)
        {
            connector = new Connector(target, options);
            outbox = new Outbox(options.MaxQueuedMessages, options.MaxQueuedBytes);
            inbox = new Inbox(options.MaxQueuedMessages, options.MaxQueuedBytes);
            backoff = new Backoff(0, options.MaxAttempts, options.MaxElapsed?.TotalSeconds);
            run = Task.Run(RunAsync);
        }

        /// <summary>A connection is complete; with the address.</summary>
        public event Action<string> Opened;

        /// <summary>A message has arrived.</summary>
        public event Action<Message> Message;

        /// <summary>A connection has ended; with the close code and the reason.</summary>
        public event Action<int, string> Closed;

        /// <summary>An attempt or a connection has failed; with the reason, and the pause before the next attempt.</summary>
        public event Action<HallooException, TimeSpan> Retry;

        /// <summary>The link is closed for good, and not by the application.</summary>
        public event Action<HallooException> GaveUp;

        /// <summary>What it does at the moment.</summary>
        public LinkState State => isClosed ? LinkState.Closed : url != null ? LinkState.Connected : connector.State;

        /// <summary>The address of the connection; null without one.</summary>
        public string Url => url;

        /// <summary>The subprotocol that the server has chosen; null for none.</summary>
        public string Subprotocol => connector.Subprotocol;

        /// <summary>Why the last attempt or connection failed.</summary>
        public HallooException LastFailure { get; private set; }

        /// <summary>How many messages wait.</summary>
        public int Pending => outbox.Count;

        /// <summary>How many messages were dropped when the link was closed.</summary>
        public int Lost => isClosed ? outbox.Count : 0;

        /// <summary>Sends a text, or queues it until there is a connection.</summary>
        public SendResult Send(string text) => Send(new Message(text));

        /// <summary>Sends bytes, or queues them until there is a connection.</summary>
        public SendResult Send(byte[] data) => Send(new Message(false, (byte[])data.Clone()));

        /// <summary>Raises the events of what has happened since the last call.</summary>
        public void Poll()
        {
            for (var left = inbox.Count; left > 0; left--)
            {
                var one = inbox.Take();
                switch (one?.Kind)
                {
                    case LinkEventKind.Opened:
                        Opened?.Invoke(one.Text);
                        break;
                    case LinkEventKind.Message:
                        Message?.Invoke(one.Message);
                        break;
                    case LinkEventKind.Closed:
                        Closed?.Invoke(one.Code, one.Text);
                        break;
                    case LinkEventKind.Retry:
                        Retry?.Invoke(one.Error, one.Pause);
                        break;
                    case LinkEventKind.GaveUp:
                        GaveUp?.Invoke(one.Error);
                        break;
                }
            }
        }

        /// <summary>
        /// Sends what waits if there is a connection, closes it, and ends when nothing of the link is left. <see
        /// cref="Poll"/> raises the last events after that.
        /// </summary>
        public Task CloseAsync(int code = 1000, string reason = "")
        {
            outbox.Close(code, reason);
            if (Volatile.Read(ref isConnected) == 0) abort.Cancel();
            return run;
        }

        /// <summary>Closes at once, and drops what waits.</summary>
        public void Dispose()
        {
            outbox.Close(1000, "");
            abort.Cancel();
            run.Wait();
        }

        private SendResult Send(Message message)
        {
            if (isClosed || outbox.Closing != null) return SendResult.Closed;
            if (!outbox.Push(message)) return SendResult.Full;
            return url != null ? SendResult.Sent : SendResult.Queued;
        }

        private double Now => clock.Elapsed.TotalSeconds;

        private async Task RunAsync()
        {
            HallooException error = null;
            try
            {
                while (outbox.Closing == null)
                {
                    error = await AttemptAsync().ConfigureAwait(false);
                    if (error != null) break;
                }
            }
            catch (OperationCanceledException)
            {
                error = null;
            }
            catch (Exception failure)
            {
                error = new HallooException(HallooError.ConnectFailed, $"the link failed: {failure}; report this as a bug");
            }
            isClosed = true;
            if (error == null || outbox.Closing != null) return;
            inbox.Add(new LinkEvent { Kind = LinkEventKind.GaveUp, Error = error });
        }

        /// <summary>
        /// Connects, and moves messages until the connection ends. Returns why there is no other attempt; otherwise null,
        /// after the pause.
        /// </summary>
        private async Task<HallooException> AttemptAsync()
        {
            await inbox.WaitForRoomAsync(abort.Token).ConfigureAwait(false);
            Ending ending;
            HallooException error;
            try
            {
                using (var connection = await connector.ConnectAsync(outbox, inbox, abort.Token).ConfigureAwait(false))
                {
                    var close = await UseAsync(connection).ConfigureAwait(false);
                    var reason = Names.Escape(close.Reason);
                    inbox.Add(new LinkEvent { Kind = LinkEventKind.Closed, Code = close.Code, Text = reason });
                    var message = $"the connection was closed with {close.Code}{(reason == "" ? "" : ": " + reason)}";
                    error = new HallooException(HallooError.Closed, message, code: close.Code);
                    ending = new Ending(EndingKind.Closed, close.Code);
                    connector.HandleClosed(close.Code, backoff.IsStable(Now));
                }
            }
            catch (AttemptFailedException failure)
            {
                ending = failure.Ending;
                error = failure.Error;
            }
            LastFailure = error;
            if (outbox.Closing != null || ending.IsFinal(connector.Certainty)) return error;
            var pause = backoff.HandleFailure(Now, random.NextDouble());
            if (pause == null) return error;
            inbox.Add(new LinkEvent { Kind = LinkEventKind.Retry, Error = error, Pause = TimeSpan.FromSeconds(pause.Value) });
            connector.State = LinkState.Waiting;
            await Task.Delay(TimeSpan.FromSeconds(pause.Value), abort.Token).ConfigureAwait(false);
            return null;
        }

        private async Task<CloseInfo> UseAsync(Connection connection)
        {
            try
            {
                backoff.HandleConnected(Now);
                url = connector.Url;
                Interlocked.Exchange(ref isConnected, 1);
                inbox.Add(new LinkEvent { Kind = LinkEventKind.Opened, Text = url });
                return await connection.RunAsync(abort.Token).ConfigureAwait(false);
            }
            finally
            {
                Interlocked.Exchange(ref isConnected, 0);
                url = null;
            }
        }
    }
}
