extends Node2D
## The game of [code]sumo.tscn[/code], which knows gamepads only, for phones: a [HallooPads] node and a QR code are added.


func _ready() -> void:
	if not WebSocketServer.get_server_status().server_running:
		WebSocketServer.start_server()
	$Code.texture = $HallooPads.get_qr_texture()
