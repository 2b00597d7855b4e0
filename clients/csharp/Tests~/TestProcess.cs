using System;
using System.Diagnostics;

namespace HallooClient
{
    /// <summary>The process of a test program.</summary>
    internal static class TestProcess
    {
        /// <summary>
        /// Ends the process at once. Mono 6.12 sometimes waits for ever when a program that has used sockets in a task returns
        /// from its main method on a busy machine.
        /// </summary>
        public static void End()
        {
            Console.Out.Flush();
            Process.GetCurrentProcess().Kill();
        }
    }
}
