using System;

namespace HallooClient
{
    internal enum KeepaliveAction
    {
        Wait,
        Ping,
        Pong,
        Dead,
    }

    /// <summary>When to ping, and when a silent server is given up. Times are in seconds of any clock.</summary>
    internal sealed class Keepalive
    {
        private const int SilentHeartbeats = 3;

        private readonly double heartbeat;
        private double alive, resumed;
        private double? sent;
        private bool isPaused, hasPinged;

        public Keepalive(double now, double heartbeat)
        {
            this.heartbeat = heartbeat;
            alive = resumed = now;
        }

        /// <summary>Records that anything arrived.</summary>
        public void HandleBytes(double now) => alive = now;

        /// <summary>Records that a pong arrived.</summary>
        public void HandlePong(double now)
        {
            alive = now;
            sent = null;
        }

        /// <summary>
        /// Records a wait that should have ended at <paramref name="due"/>. If it was much later, this process did not run:
        /// that time proves nothing about the server.
        /// </summary>
        public void HandleWait(double now, double due)
        {
            if (now - due > heartbeat && !isPaused) resumed = now;
        }

        /// <summary>Records whether nothing is read, because the application is slow.</summary>
        public void Pause(bool isPaused, double now)
        {
            if (this.isPaused && !isPaused) resumed = now;
            this.isPaused = isPaused;
        }

        /// <summary>Returns what to do, and the time of the next call if it is nothing.</summary>
        public KeepaliveAction Poll(double now, out double due)
        {
            due = heartbeat > 0 ? now : double.PositiveInfinity;
            if (heartbeat <= 0) return KeepaliveAction.Wait;
            // The first one measures the round trip.
            if (!hasPinged) return Ping(now);
            if (isPaused)
            {
                due = Math.Max(sent ?? alive, alive) + heartbeat;
                if (now < due) return KeepaliveAction.Wait;
                sent = now;
                return KeepaliveAction.Pong;
            }
            var last = Math.Max(alive, resumed);
            var deadAt = last + SilentHeartbeats * heartbeat;
            if (now >= deadAt) return KeepaliveAction.Dead;
            due = now < last + heartbeat ? last + heartbeat : deadAt;
            return now < last + heartbeat || sent >= last ? KeepaliveAction.Wait : Ping(now);
        }

        private KeepaliveAction Ping(double now)
        {
            hasPinged = true;
            sent = now;
            return KeepaliveAction.Ping;
        }
    }
}
