extends Control
## Finds the servers in the network, connects to the one that is chosen, and steers a player there: with the stick, the
## arrow keys, and the space bar.

## Seconds between two directions that are sent; a finger changes faster than anybody sees.
const SEND_INTERVAL := 0.05

var _browser: Node
var _client: Node
## What the browser has found, by the id of the server.
var _found := {}
## The address of the server that was chosen.
var _chosen := ""
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
	# By their names as texts, so that this script can be read where there is no library; in a game that always has
	# it, write HallooBrowser.new().
	_browser = ClassDB.instantiate(&"HallooBrowser")
	_browser.connect(&"server_found", _on_server_told)
	_browser.connect(&"server_updated", _on_server_told)
	_browser.connect(&"server_lost", _on_server_lost)
	add_child(_browser)
	# It connects as soon as it is in the tree, so it waits for a choice outside.
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
		_send(JSON.stringify({"x": snappedf(direction.x, 0.01), "y": snappedf(direction.y, 0.01)}))


func _unhandled_key_input(event: InputEvent) -> void:
	if event.is_action_pressed(&"ui_select"):
		_send("jump")


func _send(text: String) -> void:
	if _is_connected:
		_client.call(&"send", text)


func _on_server_told(info: Dictionary) -> void:
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
		var guests := "   %d connected" % info.clients if info.clients > 0 else ""
		var index := servers.add_item("%s   %s%s" % [info.name, info.url, guests])
		servers.set_item_metadata(index, info.url)
		if info.url == _chosen:
			servers.select(index)


func _on_server_selected(index: int) -> void:
	_chosen = $Left/Servers.get_item_metadata(index)
	# From here on the arrow keys steer.
	$Left/Servers.release_focus()
	$Left/State.text = "Connecting to %s …" % _chosen
	_is_connected = false
	if _client.is_inside_tree():
		_client.call(&"connect_to_server", _chosen)
	else:
		_client.set(&"target", _chosen)
		add_child(_client)


func _on_connected(url: String) -> void:
	_is_connected = true
	# What is held down already is sent now.
	_sent = Vector2.ZERO
	$Left/State.text = "Connected to %s: use the stick, the arrow keys, the space bar." % url


func _on_message_received(text: String) -> void:
	$Left/Heard.add_text(text.left(200) + "\n")


func _on_disconnected(code: int, reason: String, retry_in: float) -> void:
	_is_connected = false
	var why := ": " + reason if reason else ""
	$Left/State.text = "Disconnected, code %d%s. %s" % [code, why, _next(retry_in)]


func _on_attempt_failed(reason: String, retry_in: float) -> void:
	$Left/State.text = "Not connected: %s. %s" % [reason, _next(retry_in)]


func _on_gave_up(reason: String) -> void:
	_is_connected = false
	$Left/State.text = "Not connected: %s. Choose a server." % reason


func _next(retry_in: float) -> String:
	return "Choose a server." if retry_in < 0.0 else "Trying again in %.1f s …" % retry_in
