extends Control
## Finds the servers in the network, connects to the one that is chosen, and steers a player there: with the stick, the
## arrow keys, and the space bar.

## Seconds between two directions that are sent; a finger changes faster than anybody sees.
const SEND_INTERVAL := 0.05

var _browser: Node
var _client: Node
## What the browser has found, by the number of the server.
var _found := {}
var _sent := Vector2.ZERO
var _since_sent := 0.0
var _is_connected := false


func _ready() -> void:
	# Someone who looks for a party is not one.
	WebSocketServer.stop_server()
	$Left/Host.pressed.connect(get_tree().change_scene_to_file.bind("res://demo/party.tscn"))
	$Left/Servers.item_selected.connect(_on_server_selected)
	$Jump.pressed.connect(_send.bind("jump"))
	if not ClassDB.class_exists(&"HallooBrowser") or not ClassDB.class_exists(&"HallooClient"):
		$Left/State.text = "This needs the native library of halloo, which is missing for this platform."
		return
	_browser = ClassDB.instantiate(&"HallooBrowser")
	_browser.connect(&"server_found", _on_server_found)
	_browser.connect(&"server_lost", _on_server_lost)
	add_child(_browser)
	_client = ClassDB.instantiate(&"HallooClient")
	_client.connect(&"connected", _on_connected)
	_client.connect(&"message_received", _on_message_received)
	_client.connect(&"disconnected", _on_disconnected)
	add_child(_client)


func _process(delta: float) -> void:
	_since_sent += delta
	var direction := Input.get_vector(&"ui_left", &"ui_right", &"ui_up", &"ui_down")
	if direction == Vector2.ZERO:
		direction = $Stick.direction
	if direction != _sent and _since_sent >= SEND_INTERVAL:
		_sent = direction
		_since_sent = 0.0
		_send(JSON.stringify({"x": snappedf(direction.x, 0.01), "y": snappedf(direction.y, 0.01)}))


func _unhandled_key_input(event: InputEvent) -> void:
	if event.is_action_pressed(&"ui_select"):
		_send("jump")


func _send(text: String) -> void:
	if _is_connected:
		_client.call(&"send", text)


func _on_server_found(info: Dictionary) -> void:
	_found[info.id] = info
	_show_servers()


func _on_server_lost(id: Variant) -> void:
	_found.erase(id)
	_show_servers()


func _show_servers() -> void:
	$Left/Servers.clear()
	for id: Variant in _found:
		var info: Dictionary = _found[id]
		$Left/Servers.add_item("%s   %s" % [info.name, info.url])
		$Left/Servers.set_item_metadata(-1, info.url)


func _on_server_selected(index: int) -> void:
	var url: String = $Left/Servers.get_item_metadata(index)
	$Left/State.text = "Connecting to %s …" % url
	_client.call(&"connect_to", url)


func _on_connected(url: String) -> void:
	_is_connected = true
	$Left/State.text = "Connected to %s: use the stick, the arrow keys, the space bar." % url


func _on_message_received(text: String) -> void:
	$Left/Heard.add_text(text.left(200) + "\n")


func _on_disconnected(code: int, reason: String, will_retry: bool) -> void:
	_is_connected = false
	var next := "Trying again …" if will_retry else "Choose a server."
	$Left/State.text = "Disconnected, code %d. %s %s" % [code, reason, next]
