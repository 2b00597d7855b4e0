@tool
extends VBoxContainer
## The dock: where the server of the running game is reached, who is connected, whether it is announcing, and why it is
## not found.

const Doctor := preload("doctor.gd")
const Qr := preload("qr.gd")
const IDLE := "Run the project to see its server here."

var _state := Label.new()
var _addresses := VBoxContainer.new()
var _qr := TextureRect.new()
var _clients := ItemList.new()
var _doctor := Doctor.new()
var _page := ""
var _urls := PackedStringArray()


func _init() -> void:
	name = "Halloo"
	_state.autowrap_mode = TextServer.AUTOWRAP_WORD_SMART
	_qr.stretch_mode = TextureRect.STRETCH_KEEP_ASPECT_CENTERED
	_qr.expand_mode = TextureRect.EXPAND_FIT_HEIGHT_PROPORTIONAL
	_qr.texture_filter = CanvasItem.TEXTURE_FILTER_NEAREST
	_qr.tooltip_text = "Scan it with a phone in the same network."
	_clients.size_flags_vertical = SIZE_EXPAND_FILL
	_clients.custom_minimum_size.y = 80
	for control: Control in [_state, _addresses, _qr, _clients, _doctor]:
		add_child(control)
	show_nothing()


## Shows what the game has told: the documented keys, and [code]urls[/code], [code]page[/code] and [code]clients[/code]
## where there is a native library to tell them.
func show_status(status: Dictionary) -> void:
	_state.text = _sentence(status)
	var running: bool = status.get("server_running", false)
	_show_addresses(_urls_of(status) if running else PackedStringArray())
	_show_page(str(status.get("page", "")) if running else "")
	_show_clients(status.get("clients", []) if running else [])


func show_nothing() -> void:
	_state.text = IDLE
	_show_addresses([])
	_show_page("")
	_show_clients([])


func _sentence(status: Dictionary) -> String:
	if not status.get("server_running", false):
		return "The game runs, its server does not."
	var count: int = status.get("connected_clients", 0)
	var clients := "%d client%s" % [count, "" if count == 1 else "s"]
	if status.get("discovery_active", false):
		return "%s; announcing." % clients
	if status.get("discovery_enabled", false):
		return "%s; silent while somebody is connected." % clients
	return "%s; discovery is switched off." % clients


func _urls_of(status: Dictionary) -> PackedStringArray:
	var own := "ws://%s:%d" % [status.get("local_ip", "127.0.0.1"), status.get("server_port", 0)]
	return status.get("urls", PackedStringArray([own]))


func _show_addresses(urls: PackedStringArray) -> void:
	# Made anew only when they change, or nobody could click them.
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


func _show_page(page: String) -> void:
	if page != _page:
		_page = page
		_qr.texture = Qr.texture(page)
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
