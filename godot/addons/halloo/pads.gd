@icon("res://addons/halloo/icon.svg")
class_name HallooPads
extends Node
## The phones of the players as game controllers. Add this node to a scene, show [method get_qr_texture], and everybody who
## scans the code has a controller:
## [codeblock]
## @onready var pads: HallooPads = $HallooPads
##
## func _ready():
##     $QrCode.texture = pads.get_qr_texture()
##     pads.pad_joined.connect(func(pad): print(pad.name, " plays"))
##
## func _process(delta):
##     for pad in pads.get_pads():
##         move(pad.index, pad.get_vector("left"), pad.is_pressed("a"))
## [/codeblock]
## With [member as_joypads], the pads are gamepads for [Input] and [InputMap], so a game that is played with gamepads needs no
## other line of code. Requires the native library. PROTOCOL.md describes the messages, for controllers of your own.

## Emitted when a player has joined.
signal pad_joined(pad: HallooPad)
## Emitted when a player's seat is given up: the device was away for [member seat_timeout].
signal pad_left(pad: HallooPad)
## Emitted when the device of a player is no longer connected. Its controls are at rest; it may return.
signal pad_lost(pad: HallooPad)
## Emitted when a player who was away is back, with the same [HallooPad].
signal pad_returned(pad: HallooPad)

## The buttons of a gamepad, by the name of the control.
const JOY_BUTTONS := {
	"a": JOY_BUTTON_A, "b": JOY_BUTTON_B, "x": JOY_BUTTON_X, "y": JOY_BUTTON_Y,
	"l": JOY_BUTTON_LEFT_SHOULDER, "r": JOY_BUTTON_RIGHT_SHOULDER,
	"start": JOY_BUTTON_START, "select": JOY_BUTTON_BACK,
	"up": JOY_BUTTON_DPAD_UP, "down": JOY_BUTTON_DPAD_DOWN, "left": JOY_BUTTON_DPAD_LEFT, "right": JOY_BUTTON_DPAD_RIGHT,
}
## The axes of a gamepad, by the name of the control.
const JOY_AXES := {
	"left": [JOY_AXIS_LEFT_X, JOY_AXIS_LEFT_Y],
	"right": [JOY_AXIS_RIGHT_X, JOY_AXIS_RIGHT_Y],
}
const MAX_MESSAGE_LENGTH := 2048
## Seconds between two measurements of the latency.
const PING_INTERVAL := 1.0
## Changes of buttons of one pad that cause events in one frame. After more, only the newest state counts.
const MAX_CHANGES_PER_FRAME := 32

## Whether pads cause the events of gamepads: [InputEventJoypadMotion] and [InputEventJoypadButton].
@export var as_joypads := false
## The device of the first pad, if [member as_joypads] is set; the others follow. 100 by default, so that pads and gamepads do
## not disturb each other. A game that knows its players as devices 0 to 3 needs 0.
@export_range(0, 1000) var first_device := 100
## Maximum number of players. Others are told that the game is full, and join when a seat is free.
@export_range(1, 256) var max_pads := 16
## Seconds for which the seat of a player who is away is kept.
@export_range(0.0, 3600.0, 0.1, "or_greater", "suffix:s") var seat_timeout := 60.0
## What is on the pads, such as [code]{"left": "stick", "right": ["a", "b"]}[/code]; the default of the page if it is empty.
@export var layout := {}:
	set(value):
		layout = value
		if _is_page_mine():
			_show_pad()
		for pad in _pads:
			if not layout.is_empty():
				pad.set_layout(layout)

## The nodes in the tree, in the order in which they entered it. The page is the pad of the last one.
static var _nodes: Array[HallooPads] = []

## The server was too busy to show the pad, so it is asked again in the next frame.
var _is_page_due := false
## All seats that are taken, in the order of [member HallooPad.index].
var _pads: Array[HallooPad] = []
## The pads whose device is connected, by client id.
var _connected := {}
## What clients that wait for a seat have sent to join, by client id, in the order in which they came.
var _waiting := {}
## When the seats of those who are away are given up, in milliseconds, by pad.
var _deadlines := {}
## The changes of each pad in this frame.
var _changes := {}
## The pads with a changed vector, each with the names of the controls.
var _moved := {}
var _ping := 0
var _ping_sent := 0.0
var _next_ping := 0.0


func _ready() -> void:
	# Pads are players also while the game is paused.
	process_mode = PROCESS_MODE_ALWAYS
	var server: Node = WebSocketServer.instance
	if server == null or not server.is_native:
		push_error("[halloo] HallooPads requires the autoload WebSocketServer with the native library")
		return
	server.messages_received.connect(_on_messages_received)
	server.client_left.connect(_on_client_left)


func _exit_tree() -> void:
	for pad: HallooPad in _connected.values():
		_rest(pad)
	_emit_motion()


func _notification(what: int) -> void:
	match what:
		# Unlike _ready(), each time that the node enters the tree, and unlike _enter_tree(), after _ready() of the autoload.
		NOTIFICATION_POST_ENTER_TREE:
			_nodes.append(self)
			_show_pad()
		NOTIFICATION_EXIT_TREE:
			_leave_page()


## Returns the pads of all players, also of those who are away, in the order of their seats.
func get_pads() -> Array[HallooPad]:
	return _pads.duplicate()


## Returns the pad of a client, or [code]null[/code] if it is not a player.
func get_pad(client_id: int) -> HallooPad:
	return _connected.get(client_id)


## Returns the link that players open: the address of the server, with the token if there is one. While this node is in the
## tree, the pad is the page there, unless [method WebSocketServer.serve_files] publishes a page of your own: then the link leads
## to the path of the pad. Of several nodes, the layout of the one that entered the tree last is used. Empty if the server is not
## running.
func get_invitation() -> String:
	var server := _native_server()
	if server == null:
		return ""
	var link: String = server.get_invitation()
	if link.is_empty() or server.is_pad_shown():
		return link
	var fragment := link.find("#")
	var page := link if fragment < 0 else link.left(fragment)
	return page.path_join("_halloo/pad") + link.trim_prefix(page)


## Returns a QR code of [method get_invitation], at least [param pixels] wide and high; [code]null[/code] if the server is not
## running.
func get_qr_texture(pixels := 256) -> ImageTexture:
	var link := get_invitation()
	return WebSocketServer.get_qr_texture(link, pixels) if link else null


## Gives up the seat of a player. The client stays connected, and can join again.
func remove(pad: HallooPad) -> void:
	if pad not in _pads:
		return
	_rest(pad)
	_emit_motion()
	_connected.erase(pad.client_id)
	pad.client_id = 0
	_free_seat(pad)


## Makes the pad the page of the server.
func _show_pad() -> void:
	var server := _native_server()
	var error: Error = server.show_pad(layout) if server != null else OK
	if error == ERR_INVALID_PARAMETER:
		# What is wrong with the layout was printed.
		error = server.show_pad({})
	_is_page_due = error == ERR_BUSY


## Leaves the page to the node that entered the tree before this one, or to the server.
func _leave_page() -> void:
	var was_mine := _is_page_mine()
	_nodes.erase(self)
	var server := _native_server()
	if was_mine and _nodes:
		_nodes.back()._show_pad()
	elif was_mine and server != null:
		server.hide_pad()


func _is_page_mine() -> bool:
	return not _nodes.is_empty() and _nodes.back() == self


func _native_server() -> Node:
	var autoload: Node = WebSocketServer.instance
	return autoload._server if is_instance_valid(autoload) and autoload.is_native else null


func _process(_delta: float) -> void:
	if _is_page_due and _is_page_mine():
		_show_pad()
	_changes.clear()
	var now := Time.get_ticks_msec()
	for pad: HallooPad in _deadlines.keys():
		# A handler of pad_left may have removed another pad.
		if _deadlines.has(pad) and now >= _deadlines[pad]:
			_free_seat(pad)
	if now >= _next_ping:
		_next_ping = now + PING_INTERVAL * 1000.0
		_ping += 1
		_ping_sent = Time.get_ticks_usec()
		for pad: HallooPad in _connected.values():
			pad._send({"ping": _ping})


func _on_messages_received(ids: PackedInt64Array, texts: PackedStringArray) -> void:
	for i in ids.size():
		# Most messages of other programs do not begin like this.
		if texts[i].begins_with("{") and texts[i].length() <= MAX_MESSAGE_LENGTH:
			_handle_message(ids[i], texts[i])
	_emit_motion()


func _handle_message(id: int, text: String) -> void:
	var json := JSON.new()
	if json.parse(text) != OK or not json.data is Dictionary:
		return
	var message: Dictionary = json.data
	if message.get("join") is Dictionary:
		_join(id, message.join)
	var pad: HallooPad = _connected.get(id)
	if pad != null:
		for key: Variant in message:
			# A handler of a value may remove the pad.
			if key is String and _connected.get(id) == pad:
				_handle_value(pad, key, message[key])


func _handle_value(pad: HallooPad, key: String, value: Variant) -> void:
	match key:
		"join":
			pass
		"pong":
			if value is float and int(value) == _ping:
				pad.latency_ms = (Time.get_ticks_usec() - _ping_sent) / 1000.0
		"text":
			if value is String:
				pad.text_received.emit(HallooPad._printable(value).left(HallooPad.MAX_TEXT_LENGTH))
		"tilt" when value == null:
			pad._tilt = Vector3.ZERO
		_ when value is String:
			if value in ["left", "right", "up", "down"]:
				pad.swiped.emit(key, value)
		_ when value is Array:
			_handle_array(pad, key, value)
		_ when (value is float or value is bool) and is_finite(float(value)):
			_press(pad, key, clampf(float(value), 0.0, 1.0))


func _handle_array(pad: HallooPad, key: String, values: Array) -> void:
	if not values.all(func(value): return value is float and is_finite(value)):
		return
	if key == "tilt" and values.size() == 3:
		pad._tilt = Vector3(values[0], values[1], values[2])
	elif values.size() == 2:
		if pad._set_vector(key, Vector2(values[0], values[1]).limit_length()):
			# Only the newest position in a frame is an event.
			_mark_moved(pad, key)


func _mark_moved(pad: HallooPad, control: String) -> void:
	if not _moved.has(pad):
		_moved[pad] = {}
	_moved[pad][control] = true


func _press(pad: HallooPad, control: String, value: float) -> void:
	if not pad._set_button(control, value) or not as_joypads or not JOY_BUTTONS.has(control):
		return
	_changes[pad] = _changes.get(pad, 0) + 1
	# A release always counts, or the button would be held for ever.
	if _changes[pad] <= MAX_CHANGES_PER_FRAME or not pad.is_pressed(control):
		_emit_button(pad, control)


func _emit_button(pad: HallooPad, control: String) -> void:
	var event := InputEventJoypadButton.new()
	event.device = pad.device
	event.button_index = JOY_BUTTONS[control]
	event.pressed = pad.is_pressed(control)
	event.pressure = 1.0 if event.pressed else 0.0
	Input.parse_input_event(event)


func _emit_motion() -> void:
	if as_joypads:
		for pad: HallooPad in _moved:
			for control: String in _moved[pad]:
				_emit_axes(pad, control)
		# Otherwise the engine keeps the events of this frame until the next one.
		Input.flush_buffered_events()
	_moved.clear()


func _emit_axes(pad: HallooPad, control: String) -> void:
	var vector := pad.get_vector(control)
	var axes: Array = JOY_AXES.get(control, [])
	for i in axes.size():
		var event := InputEventJoypadMotion.new()
		event.device = pad.device
		event.axis = axes[i]
		event.axis_value = vector[i]
		Input.parse_input_event(event)


func _join(id: int, join: Dictionary) -> void:
	var seat: Variant = join.get("seat", "")
	if not (seat is String and seat.length() <= 64):
		seat = ""
	var known: HallooPad = _connected.get(id)
	if known != null:
		# The player has chosen another name or colour.
		known._introduce(join, known.color)
		return
	for pad in _pads:
		# The seat is a secret of the device, so this is the same player, also if the old connection is not closed yet.
		if seat and pad._seat == seat:
			return _return(pad, id, join)
	if _pads.size() >= max_pads:
		_waiting[id] = join
		WebSocketServer.send(id, JSON.stringify({"text": "The game is full. You join when a player leaves."}))
		return
	var pad := HallooPad.new()
	pad._seat = seat
	pad.index = _free_index()
	pad.device = first_device + pad.index
	pad._introduce(join, Color.from_hsv(fposmod(pad.index * 0.618 + 0.58, 1.0), 0.65, 0.95))
	_pads.append(pad)
	_pads.sort_custom(func(a: HallooPad, b: HallooPad): return a.index < b.index)
	_connect_pad(pad, id)
	pad_joined.emit(pad)


func _return(pad: HallooPad, id: int, join: Dictionary) -> void:
	_connected.erase(pad.client_id)
	_deadlines.erase(pad)
	_rest(pad)
	pad._introduce(join, pad.color)
	_connect_pad(pad, id)
	pad_returned.emit(pad)


func _connect_pad(pad: HallooPad, id: int) -> void:
	pad.client_id = id
	pad.latency_ms = -1.0
	_connected[id] = pad
	_waiting.erase(id)
	pad.set_color(pad.color)
	pad.show_text("")
	if not layout.is_empty():
		pad.set_layout(layout)


func _on_client_left(id: int, _code: int, _reason: String) -> void:
	_waiting.erase(id)
	var pad: HallooPad = _connected.get(id)
	if pad == null:
		return
	_connected.erase(id)
	pad.client_id = 0
	_rest(pad)
	_emit_motion()
	# Before the signal, because a handler may remove the pad.
	_deadlines[pad] = Time.get_ticks_msec() + int(seat_timeout * 1000)
	pad_lost.emit(pad)


## Releases all controls of a pad.
func _rest(pad: HallooPad) -> void:
	for control: String in pad._vectors:
		if pad._set_vector(control, Vector2.ZERO):
			_mark_moved(pad, control)
	for control: String in pad._buttons:
		_press(pad, control, 0.0)
	pad._tilt = Vector3.ZERO


func _free_seat(pad: HallooPad) -> void:
	_deadlines.erase(pad)
	_pads.erase(pad)
	pad_left.emit(pad)
	if not _waiting.is_empty():
		var id: int = _waiting.keys()[0]
		_join(id, _waiting[id])


func _free_index() -> int:
	var index := 0
	while _pads.any(func(pad: HallooPad): return pad.index == index):
		index += 1
	return index
