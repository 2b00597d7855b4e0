@tool
extends VBoxContainer
## The dock: shows the addresses, the discovery state and the clients of the server in the running game, and runs the doctor.

const Doctor := preload("doctor.gd")
const Qr := preload("qr.gd")
const IDLE := "Run the project to see its server here."

var _state := Label.new()
var _addresses := VBoxContainer.new()
var _qr := TextureRect.new()
var _clients := ItemList.new()
var _doctor := Doctor.new()
var _invitation := ""
var _urls := PackedStringArray()


func _init() -> void:
	name = "Halloo"
	_state.autowrap_mode = TextServer.AUTOWRAP_WORD_SMART
	_qr.stretch_mode = TextureRect.STRETCH_KEEP_ASPECT_CENTERED
	_qr.expand_mode = TextureRect.EXPAND_FIT_HEIGHT_PROPORTIONAL
	_qr.texture_filter = CanvasItem.TEXTURE_FILTER_NEAREST
	_qr.tooltip_text = "Scan this with a phone on the same network."
	_clients.size_flags_vertical = SIZE_EXPAND_FILL
	_clients.custom_minimum_size.y = 80
	for control: Control in [_state, _addresses, _qr, _clients, _doctor]:
		add_child(control)
	show_idle()


## Shows a status: the documented keys and, if the game uses the native library, [code]urls[/code],
## [code]invitation[/code] and [code]clients[/code].
func show_status(status: Dictionary) -> void:
	_state.text = _summary(status)
	var running: bool = status.get("server_running", false)
	_show_addresses(_urls_of(status) if running else PackedStringArray())
	_show_invitation(str(status.get("invitation", "")) if running else "")
	_show_clients(status.get("clients", []) if running else [])


## Shows that no game is running.
func show_idle() -> void:
	_state.text = IDLE
	_show_addresses([])
	_show_invitation("")
	_show_clients([])


func _summary(status: Dictionary) -> String:
	if not status.get("server_running", false):
		return "The game is running, but its server is not."
	var count: int = status.get("connected_clients", 0)
	var clients := "%d client%s" % [count, "" if count == 1 else "s"]
	if status.get("discovery_active", false):
		return "%s; announcing." % clients
	if status.get("discovery_enabled", false):
		return "%s; silent while clients are connected." % clients
	return "%s; discovery is off." % clients


func _urls_of(status: Dictionary) -> PackedStringArray:
	var ip: String = status.get("local_ip", "127.0.0.1")
	var url := "ws://%s:%d" % ["[%s]" % ip if ":" in ip else ip, status.get("server_port", 0)]
	return status.get("urls", PackedStringArray([url]))


func _show_addresses(urls: PackedStringArray) -> void:
	# Rebuilt only when they change: a button that is replaced every second cannot be clicked.
	if urls == _urls:
		return
	_urls = urls
	for old in _addresses.get_children():
		old.queue_free()
	for url in urls:
		var button := LinkButton.new()
		button.text = url
		button.tooltip_text = "Copy to the clipboard"
		button.pressed.connect(DisplayServer.clipboard_set.bind(url))
		_addresses.add_child(button)


func _show_invitation(invitation: String) -> void:
	if invitation != _invitation:
		_invitation = invitation
		_qr.texture = Qr.texture(invitation)
	_qr.visible = _qr.texture != null


func _show_clients(clients: Array) -> void:
	var selected := _clients.get_selected_items()
	_clients.clear()
	for client: Dictionary in clients:
		var row := "%d   %s" % [client.get("id", 0), client.get("address", "")]
		if client.get("latency_ms", -1) >= 0:
			row += "   %d ms" % client.latency_ms
		if client.get("dropped", 0) > 0:
			row += "   %d dropped" % client.dropped
		_clients.add_item(row)
	for index in selected:
		if index < _clients.item_count:
			_clients.select(index)
	_clients.visible = not clients.is_empty()
