using System;
using System.Diagnostics;
using System.IO;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace HallooClient
{
    /// <summary>One connection: the opening handshake, and messages in both directions until it ends.</summary>
    internal sealed class Connection : IDisposable
    {
        private const double Heartbeat = 5, WriteTimeout = 10, CloseTimeout = 3;
        private const int ChunkSize = 64 * 1024;

        private readonly Stream stream;
        private readonly FrameReader reader;
        private readonly FrameWriter writer = new FrameWriter();
        private readonly Outbox outbox;
        private readonly Inbox inbox;
        private readonly Stopwatch clock = Stopwatch.StartNew();
        private readonly object gate = new object();

        // Shared by the two tasks.
        private readonly Keepalive keepalive = new Keepalive(0, Heartbeat);
        private byte[] ping;
        private CloseInfo? received;
        private ProtocolException violation;
        private bool hasReadAll;

        public Connection(Stream stream, int maxMessageBytes, Outbox outbox, Inbox inbox)
        {
            this.stream = stream;
            reader = new FrameReader(maxMessageBytes);
            this.outbox = outbox;
            this.inbox = inbox;
        }

        private double Now => clock.Elapsed.TotalSeconds;

        /// <summary>Sends the handshake, and returns what the response says.</summary>
        public async Task<HandshakeResponse> OpenAsync(Handshake handshake, CancellationToken cancellation)
        {
            var request = Encoding.ASCII.GetBytes(handshake.Request);
            var deadline = Now + Dialer.Timeout;
            var buffer = new byte[16 * 1024];
            var count = 0;
            try
            {
                if (!await TryWriteAsync(request, cancellation).ConfigureAwait(false)) return TimedOut();
                while (true)
                {
                    var read = stream.ReadAsync(buffer, count, buffer.Length - count);
                    if (!await read.EndsWithinAsync(deadline - Now, cancellation).ConfigureAwait(false)) return TimedOut();
                    var size = await read.ConfigureAwait(false);
                    count += size;
                    var response = handshake.Judge(buffer, count, size == 0);
                    if (response == null) continue;
                    var head = response.HeadBytes;
                    if (response.Kind == ResponseKind.Accepted) reader.Add(buffer, head, count - head);
                    return response;
                }
            }
            catch (IOException)
            {
                return handshake.Judge(buffer, count, true);
            }
        }

        /// <summary>Moves messages until the connection ends. Returns the close code and the reason.</summary>
        public async Task<CloseInfo> RunAsync(CancellationToken cancellation)
        {
            using (var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation))
            {
                var reading = ReadAsync(stop.Token);
                try
                {
                    return await WriteAsync(reading, cancellation).ConfigureAwait(false);
                }
                finally
                {
                    stop.Cancel();
                    stream.Dispose();
                    await reading.EndsWithinAsync(1, CancellationToken.None).ConfigureAwait(false);
                }
            }
        }

        public void Dispose()
        {
            stream.Dispose();
            writer.Dispose();
        }

        private static HandshakeResponse TimedOut() =>
            new HandshakeResponse { Kind = ResponseKind.Lost, Text = "it did not complete the handshake in time" };

        private async Task ReadAsync(CancellationToken cancellation)
        {
            var buffer = new byte[16 * 1024];
            try
            {
                while (HandleFrames())
                {
                    if (inbox.IsFull) await PauseAsync(cancellation).ConfigureAwait(false);
                    var size = await stream.ReadAsync(buffer, 0, buffer.Length).ConfigureAwait(false);
                    if (size == 0) return;
                    lock (gate) keepalive.HandleBytes(Now);
                    reader.Add(buffer, 0, size);
                }
            }
            catch (ProtocolException error)
            {
                lock (gate) violation = error;
            }
            catch (Exception error) when (IsLost(error) || error is OperationCanceledException)
            {
                // The other task reports that the connection was lost, or it has ended.
            }
            finally
            {
                // Before the other task wakes up: this one is not complete by then.
                lock (gate) hasReadAll = true;
                outbox.Wake();
            }
        }

        /// <summary>Handles the frames that are complete. Returns false after a close frame.</summary>
        private bool HandleFrames()
        {
            for (var frame = reader.Next(); frame != null; frame = reader.Next())
            {
                lock (gate)
                {
                    if (frame.Kind == FrameKind.Pong) keepalive.HandlePong(Now);
                    if (frame.Kind == FrameKind.Ping) ping = frame.Payload;
                    if (frame.Kind == FrameKind.Close) received = new CloseInfo(frame.Code, frame.Reason);
                }
                if (frame.Kind == FrameKind.Close) return false;
                if (frame.Kind == FrameKind.Ping) outbox.Wake();
                if (frame.Kind != FrameKind.Message) continue;
                inbox.Add(new LinkEvent { Kind = LinkEventKind.Message, Message = frame.Message });
            }
            return true;
        }

        /// <summary>Waits until the application has taken messages.</summary>
        private async Task PauseAsync(CancellationToken cancellation)
        {
            lock (gate) keepalive.Pause(true, Now);
            outbox.Wake();
            await inbox.WaitForRoomAsync(cancellation).ConfigureAwait(false);
            lock (gate) keepalive.Pause(false, Now);
            outbox.Wake();
        }

        private async Task<CloseInfo> WriteAsync(Task reading, CancellationToken cancellation)
        {
            CloseInfo? sent = null;
            var closeAt = double.PositiveInfinity;
            while (true)
            {
                bool isOver;
                lock (gate) isOver = hasReadAll;
                if (isOver) return await EndAsync(sent, cancellation).ConfigureAwait(false);
                double due;
                var output = TakeControl(out due);
                if (output == null) return new CloseInfo(1006, "timeout: the server was silent");
                if (sent == null) TakeMessages(output);
                if (sent == null && output.Length < ChunkSize)
                {
                    sent = outbox.Closing;
                    if (sent != null)
                    {
                        closeAt = Now + CloseTimeout;
                        Append(output, writer.WriteClose(sent.Value.Code, sent.Value.Reason));
                    }
                }
                if (output.Length > 0)
                {
                    if (await TryWriteAsync(output.ToArray(), cancellation).ConfigureAwait(false)) continue;
                    // The other task finds out what the server said before.
                    if (await reading.EndsWithinAsync(1, cancellation).ConfigureAwait(false)) continue;
                    return new CloseInfo(1006, "the server accepts no data");
                }
                if (Now >= closeAt) return sent ?? new CloseInfo(1006, "");
                await outbox.WaitAsync(Math.Min(due, closeAt) - Now, cancellation).ConfigureAwait(false);
                lock (gate) keepalive.HandleWait(Now, due);
            }
        }

        /// <summary>Returns the control frames to send; null if the server is dead.</summary>
        private MemoryStream TakeControl(out double due)
        {
            var output = new MemoryStream();
            lock (gate)
            {
                if (ping != null) Append(output, writer.Write(FrameWriter.Pong, ping));
                ping = null;
                var action = keepalive.Poll(Now, out due);
                if (action == KeepaliveAction.Dead) return null;
                if (action == KeepaliveAction.Ping) Append(output, writer.Write(FrameWriter.Ping, new byte[0]));
                if (action == KeepaliveAction.Pong) Append(output, writer.Write(FrameWriter.Pong, new byte[0]));
            }
            return output;
        }

        private void TakeMessages(MemoryStream output)
        {
            while (output.Length < ChunkSize)
            {
                var message = outbox.Pop();
                if (message == null) return;
                Append(output, writer.Write(message.IsText ? FrameWriter.Text : FrameWriter.Binary, message.Payload));
            }
        }

        private async Task<CloseInfo> EndAsync(CloseInfo? sent, CancellationToken cancellation)
        {
            if (violation != null)
            {
                await TryWriteAsync(writer.WriteClose(violation.Code, violation.Message), cancellation).ConfigureAwait(false);
                return new CloseInfo(violation.Code, violation.Message);
            }
            if (received == null) return sent ?? new CloseInfo(1006, "the connection was lost");
            var answer = writer.WriteClose(received.Value.Code, "");
            if (sent == null) await TryWriteAsync(answer, cancellation).ConfigureAwait(false);
            return received.Value;
        }

        private static bool IsLost(Exception error) => error is IOException || error is ObjectDisposedException;

        private static void Append(MemoryStream output, byte[] frame) => output.Write(frame, 0, frame.Length);

        /// <summary>Writes bytes. Returns false if the connection is lost, or makes no progress for 10 s.</summary>
        private async Task<bool> TryWriteAsync(byte[] data, CancellationToken cancellation)
        {
            try
            {
                for (var at = 0; at < data.Length; at += ChunkSize)
                {
                    var write = stream.WriteAsync(data, at, Math.Min(ChunkSize, data.Length - at));
                    if (!await write.EndsWithinAsync(WriteTimeout, cancellation).ConfigureAwait(false)) return false;
                    await write.ConfigureAwait(false);
                }
                return true;
            }
            catch (Exception error) when (IsLost(error))
            {
                return false;
            }
        }
    }
}
