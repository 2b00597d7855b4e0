extends Node
## The usage example of the script that this addon replaces, line by line. Statements that are outside of a function there
## are in [method run].

# In your autoload setup, add websocket_server.gd as "WebSocketServer"

# Connect to receive data in another script
func _ready():
    WebSocketServer.connect_to_signal(self, _on_model_data_received)

func _on_model_data_received(data: String):
    print("Received: ", data)
    # Process the received data

func run():
    # Send data to all clients
    WebSocketServer.send_to_all("Hello from server!")

    # Check server status
    var status = WebSocketServer.get_server_status()
    print("Server running: ", status.server_running)
    print("Connected clients: ", status.connected_clients)
