using System;
using System.Threading;
using System.Threading.Tasks;

namespace HallooClient
{
    /// <summary>What the application sends, for the task that moves it to the server.</summary>
    internal sealed class Outbox
    {
        private readonly object gate = new object();
        private readonly SemaphoreSlim changed = new SemaphoreSlim(0);
        private readonly SendQueue queue;
        private CloseInfo? closing;

        public Outbox(int maxMessages, long maxBytes) => queue = new SendQueue(maxMessages, maxBytes);

        public int Count
        {
            get
            {
                lock (gate) return queue.Count;
            }
        }

        /// <summary>The code and the reason to close with after the last message.</summary>
        public CloseInfo? Closing
        {
            get
            {
                lock (gate) return closing;
            }
        }

        public bool Push(Message message)
        {
            lock (gate)
            {
                if (!queue.Push(message)) return false;
            }
            Wake();
            return true;
        }

        public Message Pop()
        {
            lock (gate) return queue.Pop();
        }

        /// <summary>Asks to close the connection. Later calls change nothing.</summary>
        public void Close(int code, string reason)
        {
            lock (gate) closing = closing ?? new CloseInfo(code, reason);
            Wake();
        }

        /// <summary>Ends the current wait, or the next one.</summary>
        public void Wake()
        {
            lock (gate)
            {
                if (changed.CurrentCount == 0) changed.Release();
            }
        }

        /// <summary>Waits until something has changed, at most for this time.</summary>
        public Task WaitAsync(double seconds, CancellationToken cancellation) =>
            changed.WaitAsync(TimeSpan.FromSeconds(Math.Min(Math.Max(0, seconds), 3600)), cancellation);
    }
}
