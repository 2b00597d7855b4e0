using System;
using System.Threading;
using System.Threading.Tasks;

namespace HallooClient
{
    /// <summary>Waiting for tasks that cannot be cancelled themselves.</summary>
    internal static class Waiting
    {
        /// <summary>
        /// Returns whether the task ends within a time. It throws an OperationCanceledException when it is cancelled; the task
        /// itself goes on until its socket is closed.
        /// </summary>
        public static async Task<bool> EndsWithinAsync(this Task task, double seconds, CancellationToken cancellation)
        {
            using (var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellation))
            {
                var delay = Task.Delay(TimeSpan.FromSeconds(Math.Max(0, seconds)), timer.Token);
                var first = await Task.WhenAny(task, delay).ConfigureAwait(false);
                timer.Cancel();
                if (first == task) return true;
                task.Forget();
                cancellation.ThrowIfCancellationRequested();
                return false;
            }
        }

        /// <summary>Lets a task fail that is not awaited any more.</summary>
        public static void Forget(this Task task) =>
            task.ContinueWith(one => one.Exception, TaskContinuationOptions.OnlyOnFaulted);
    }
}
