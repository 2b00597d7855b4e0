using HallooClient;
using UnityEngine;

public class Hello : MonoBehaviour
{
    private Link link;

    private void Start()
    {
        link = Halloo.Connect("living-room");
        link.Opened += url => link.Send("hello");
        link.Message += message => Debug.Log(message.Text);
    }
    private void OnDestroy() => link.Dispose();
}
