extends Node
## The example of the README, whose text a test compares with this file.

func _ready():
    WebSocketServer.connect_to_signal(self, _on_model_data_received)

func _on_model_data_received(data: String):
    WebSocketServer.send_to_all("received " + data)
