extends Control
## Lists the servers on the network, connects to the selected one as a pad, and steers a player there with the stick, the
## arrow keys and the space bar. It sends what the page for phones sends (PROTOCOL.md, "The pad").

## Seconds between two directions that are sent. A finger moves more often than is visible in the game.
const SEND_INTERVAL := 0.05

var _browser: Node
var _client: Node
## The servers that the browser has found, by their id.
var _found := {}
## The URL of the selected server.
var _selected := ""
## The last direction that was sent.
var _sent := Vector2.ZERO
var _since_sent := 0.0
var _is_connected := false
## What makes this program the same player after it has reconnected.
var _seat := Crypto.new().generate_random_bytes(16).hex_encode()


func _ready() -> void:
	# A remote control is not a server.
	WebSocketServer.stop_server()
	$Left/Host.pressed.connect(get_tree().change_scene_to_file.bind("res://demo/party.tscn"))
	$Left/Servers.item_selected.connect(_on_server_selected)
	$Jump.pressed.connect(_jump)
	if not ClassDB.class_exists(&"HallooBrowser") or not ClassDB.class_exists(&"HallooClient"):
		$Left/State.text = "This requires the native library of halloo, which is missing for this platform."
		return
	# The classes are named by strings, so that this script also loads without the library. A game that always has the
	# library can use HallooBrowser.new().
	_browser = ClassDB.instantiate(&"HallooBrowser")
	_browser.connect(&"server_found", _on_server_changed)
	_browser.connect(&"server_updated", _on_server_changed)
	_browser.connect(&"server_lost", _on_server_lost)
	add_child(_browser)
	# It connects when it enters the tree, so it is added when a server is selected.
	_client = ClassDB.instantiate(&"HallooClient")
	_client.connect(&"connected", _on_connected)
	_client.connect(&"message_received", _on_message_received)
	_client.connect(&"disconnected", _on_disconnected)
	_client.connect(&"attempt_failed", _on_attempt_failed)
	_client.connect(&"gave_up", _on_gave_up)


func _exit_tree() -> void:
	if _client != null and not _client.is_inside_tree():
		_client.free()


func _process(delta: float) -> void:
	_since_sent += delta
	var direction := Input.get_vector(&"ui_left", &"ui_right", &"ui_up", &"ui_down")
	if direction == Vector2.ZERO:
		direction = $Stick.direction
	if direction != _sent and _since_sent >= SEND_INTERVAL:
		_sent = direction
		_since_sent = 0.0
		_send({"left": [snappedf(direction.x, 0.01), snappedf(direction.y, 0.01)]})


func _unhandled_key_input(event: InputEvent) -> void:
	if event.is_action_pressed(&"ui_select"):
		_jump()


func _jump() -> void:
	_send({"a": 1})
	_send({"a": 0})


func _send(message: Dictionary) -> void:
	if _is_connected:
		_client.call(&"send", JSON.stringify(message))


func _on_server_changed(info: Dictionary) -> void:
	_found[info.id] = info
	_show_servers()


func _on_server_lost(id: String) -> void:
	_found.erase(id)
	_show_servers()


func _show_servers() -> void:
	var servers: ItemList = $Left/Servers
	servers.clear()
	for id: String in _found:
		var info: Dictionary = _found[id]
		var clients := "   %d connected" % info.clients if info.clients > 0 else ""
		var index := servers.add_item("%s   %s%s" % [info.name, info.url, clients])
		servers.set_item_metadata(index, info.url)
		if info.url == _selected:
			servers.select(index)


func _on_server_selected(index: int) -> void:
	_selected = $Left/Servers.get_item_metadata(index)
	# The arrow keys now steer the player.
	$Left/Servers.release_focus()
	$Left/State.text = "Connecting to %s …" % _selected
	_is_connected = false
	if _client.is_inside_tree():
		_client.call(&"connect_to_server", _selected)
	else:
		_client.set(&"target", _selected)
		add_child(_client)


func _on_connected(url: String) -> void:
	_is_connected = true
	_send({"join": {"name": "Remote", "seat": _seat}})
	# Send the direction that is held down already.
	_sent = Vector2.ZERO
	$Left/State.text = "Connected to %s: use the stick, the arrow keys and the space bar." % url


func _on_message_received(text: String) -> void:
	var json := JSON.new()
	if json.parse(text) != OK or not json.data is Dictionary:
		return
	if json.data.has("ping"):
		_send({"pong": json.data.ping})
	var shown: Variant = json.data.get("text", "")
	if shown is String and shown:
		$Left/Messages.add_text(shown.left(200) + "\n")


func _on_disconnected(code: int, reason: String, retry_in: float) -> void:
	_is_connected = false
	var detail := ": " + reason if reason else ""
	$Left/State.text = "Disconnected, code %d%s. %s" % [code, detail, _next_step(retry_in)]


func _on_attempt_failed(reason: String, retry_in: float) -> void:
	$Left/State.text = "Not connected: %s. %s" % [reason, _next_step(retry_in)]


func _on_gave_up(reason: String) -> void:
	_is_connected = false
	$Left/State.text = "Not connected: %s. Select a server." % reason


func _next_step(retry_in: float) -> String:
	return "Select a server." if retry_in < 0.0 else "Next attempt in %.1f s …" % retry_in
