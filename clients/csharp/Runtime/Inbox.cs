using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace HallooClient
{
    internal enum LinkEventKind
    {
        Opened,
        Message,
        Closed,
        Retry,
        GaveUp,
    }

    /// <summary>What the application is told.</summary>
    internal sealed class LinkEvent
    {
        public LinkEventKind Kind;
        public Message Message;
        public int Code;
        public string Text;
        public TimeSpan Pause;
        public HallooException Error;
    }

    /// <summary>What the application has not taken yet. Nothing more is read from the server while it is full.</summary>
    internal sealed class Inbox
    {
        private readonly object gate = new object();
        private readonly SemaphoreSlim taken = new SemaphoreSlim(0);
        private readonly Queue<LinkEvent> events = new Queue<LinkEvent>();
        private readonly int maxEvents;
        private readonly long maxBytes;
        private long bytes;

        public Inbox(int maxEvents, long maxBytes)
        {
            this.maxEvents = maxEvents;
            this.maxBytes = maxBytes;
        }

        public int Count
        {
            get
            {
                lock (gate) return events.Count;
            }
        }

        public bool IsFull
        {
            get
            {
                lock (gate) return events.Count >= maxEvents || bytes >= maxBytes;
            }
        }

        /// <summary>Appends an event. What was read with the last one may exceed the limits.</summary>
        public void Add(LinkEvent one)
        {
            lock (gate)
            {
                events.Enqueue(one);
                bytes += one.Message?.Payload.Length ?? 0;
            }
        }

        /// <summary>Removes and returns the oldest event, or null.</summary>
        public LinkEvent Take()
        {
            lock (gate)
            {
                if (events.Count == 0) return null;
                var one = events.Dequeue();
                bytes -= one.Message?.Payload.Length ?? 0;
                if (taken.CurrentCount == 0) taken.Release();
                return one;
            }
        }

        public async Task WaitForRoomAsync(CancellationToken cancellation)
        {
            while (IsFull) await taken.WaitAsync(cancellation).ConfigureAwait(false);
        }
    }
}
