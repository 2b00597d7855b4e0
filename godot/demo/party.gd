extends Node2D
## Phones, browsers and other programs move players and collect stars. Each client has a player with its own colour.

const Player := preload("player.gd")
const Star := preload("star.gd")
const FIELD := Rect2(360, 24, 768, 552)

## Whether the native library is there, which reports the sender of a message and draws QR codes.
var _is_native := ClassDB.class_exists(&"HallooServer")
## The players by client id.
var _players := {}
var _star := Star.new()


func _ready() -> void:
	var server: Node = WebSocketServer.instance
	server.client_joined.connect(_on_client_joined)
	server.client_left.connect(_on_client_left)
	if _is_native:
		server.connect(&"message_received", _on_message_received)
	else:
		# The fallback does not report the sender of a message, so each message moves all players.
		WebSocketServer.connect_to_signal(self, _on_model_data_received)
	$OpenRemote.pressed.connect(get_tree().change_scene_to_file.bind("res://demo/remote.tscn"))
	if not WebSocketServer.get_server_status().server_running:
		WebSocketServer.start_server()
	_show_invitation()
	_show_scores()
	add_child(_star)
	_move_star()


func _draw() -> void:
	draw_rect(FIELD, Color(0.13, 0.15, 0.21))


func _process(_delta: float) -> void:
	for id: int in _players:
		if _star.is_touched_by(_players[id].position):
			_players[id].score += 1
			_move_star()
			_show_scores()
			# All clients receive this text as it is: the server adds nothing to it.
			WebSocketServer.send_to_all(JSON.stringify({"player": id, "score": _players[id].score}))


func _on_client_joined(id: int) -> void:
	var player := Player.new(id)
	player.position = FIELD.get_center() + Vector2.from_angle(id * 2.4) * 140
	player.field = FIELD
	_players[id] = player
	$Players.add_child(player)
	_show_scores()


func _on_client_left(id: int, _code: int, _reason: String) -> void:
	if _players.has(id):
		_players[id].queue_free()
		_players.erase(id)
		_show_scores()


func _on_message_received(id: int, text: String) -> void:
	if _players.has(id):
		_players[id].handle_message(text)


func _on_model_data_received(text: String) -> void:
	for id: int in _players:
		_players[id].handle_message(text)


## Shows the address to connect to, as text and as a QR code for phones.
func _show_invitation() -> void:
	var status: Dictionary = WebSocketServer.get_server_status()
	if status.server_running:
		$Invitation/Address.text = "http://%s:%d" % [status.local_ip, status.server_port]
	else:
		$Invitation/Address.text = "The server is not running; see the output."
	if _is_native:
		$Invitation/Code.texture = WebSocketServer.get_qr_texture()


func _move_star() -> void:
	var inside := FIELD.grow(-Star.RADIUS)
	_star.position = inside.position + Vector2(randf(), randf()) * inside.size


func _show_scores() -> void:
	var lines := PackedStringArray()
	for id: int in _players:
		lines.append("Player %d   %d ★" % [id, _players[id].score])
	$Invitation/Scores.text = "\n".join(lines) if lines else "No players yet."
