// What the package and its sample use of Unity. The sample runs until standard input is closed.

using System;
using System.Collections.Generic;
using System.Threading;
using HallooClient;

namespace UnityEngine
{
    public enum RuntimeInitializeLoadType
    {
        BeforeSceneLoad,
    }

    [Flags]
    public enum HideFlags
    {
        HideAndDontSave,
    }

    public sealed class RuntimeInitializeOnLoadMethodAttribute : Attribute
    {
        public RuntimeInitializeOnLoadMethodAttribute(RuntimeInitializeLoadType type)
        {
        }
    }

    public class MonoBehaviour
    {
        public static void DontDestroyOnLoad(GameObject target)
        {
        }
    }

    public sealed class GameObject
    {
        public GameObject(string name)
        {
        }

        public HideFlags hideFlags { get; set; }

        public T AddComponent<T>() where T : MonoBehaviour, new()
        {
            var component = new T();
            Engine.Components.Add(component);
            Engine.Call(component, "Start");
            return component;
        }
    }

    public static class Debug
    {
        public static void Log(object message) => Console.WriteLine(message);
    }

    internal static class Engine
    {
        public static readonly List<MonoBehaviour> Components = new List<MonoBehaviour>();

        public static void Call(MonoBehaviour component, string name)
        {
            const System.Reflection.BindingFlags any =
                System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic;
            component.GetType().GetMethod(name, any)?.Invoke(component, null);
        }

        private static void Main(string[] arguments)
        {
            Halloo.NewOptions = () => new LinkOptions { Local = true, DiscoveryPort = int.Parse(arguments[0]) };
            const System.Reflection.BindingFlags any =
                System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.NonPublic;
            typeof(LinkPump).GetMethod("Begin", any).Invoke(null, null);
            new GameObject("sample").AddComponent<Hello>();
            var isOver = false;
            new Thread(() =>
            {
                Console.In.ReadToEnd();
                isOver = true;
            }).Start();
            while (!Volatile.Read(ref isOver))
            {
                foreach (var component in Components.ToArray()) Call(component, "Update");
                Thread.Sleep(1);
            }
            foreach (var component in Components) Call(component, "OnDestroy");
            Console.WriteLine("ended");
            TestProcess.End();
        }
    }
}
