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
## Messages of one pad whose time in one frame is not part of the frame budget. A phone sends one or two in a frame; the others
## are for what has waited.
const MAX_EXEMPT_MESSAGES := 8

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
## The clients among them that the server was too busy to tell it, as the keys.
var _untold := {}
## When the seats of those who are away are given up, in milliseconds, by pad.
var _deadlines := {}
## The number of messages of each pad in this frame.
var _messages := {}
## The number of changes of buttons of each pad in this frame.
var _changes := {}
## The changes of buttons that [Input] was not told yet, in order.
var _button_events: Array[InputEventJoypadButton] = []
## The pads whose newest state [Input] was not told yet, as the keys.
var _changed := {}
var _json := JSON.new()
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
	_emit_events()


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
	_emit_events()
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
	if was_mine and _nodes:
		_nodes.back()._show_pad()
	elif was_mine:
		_hide_pad()


## Makes the page of the server what it is without a pad. While the server is too busy, it is asked again in each frame, until
## another node shows its pad.
static func _hide_pad() -> void:
	var server := _native_server()
	var frames: Signal = Engine.get_main_loop().process_frame
	if _nodes.is_empty() and server != null and server.hide_pad() == ERR_BUSY and not frames.is_connected(_hide_pad):
		frames.connect(_hide_pad, CONNECT_ONE_SHOT)


func _is_page_mine() -> bool:
	return not _nodes.is_empty() and _nodes.back() == self


static func _native_server() -> Node:
	var autoload: Node = WebSocketServer.instance
	return autoload._server if is_instance_valid(autoload) and autoload.is_native else null


func _process(_delta: float) -> void:
	if _is_page_due and _is_page_mine():
		_show_pad()
	_messages.clear()
	_changes.clear()
	_send_unsent()
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


## Sends what the server was too busy for.
func _send_unsent() -> void:
	for pad: HallooPad in _connected.values():
		if not pad._unsent.is_empty():
			pad._send_unsent()
	for id: int in _untold.keys():
		_untold.erase(id)
		if _waiting.has(id):
			_tell_full(id)


func _on_messages_received(ids: PackedInt64Array, texts: PackedStringArray) -> void:
	var start := Time.get_ticks_usec()
	var handled := 0
	var exempt := 0
	for i in ids.size():
		# Most messages of other programs do not begin like this.
		if texts[i].begins_with("{") and texts[i].length() <= MAX_MESSAGE_LENGTH:
			handled += 1
			exempt += int(_is_exempt(_connected.get(ids[i])))
			_handle_message(ids[i], texts[i])
	if exempt > 0:
		_extend_frame_budget((Time.get_ticks_usec() - start) * exempt / handled)
	_emit_events()


## Returns whether the next message of a client is one of the few that each pad sends in a frame. It would save nothing if they
## waited for the next frame, which has as many of its own.
func _is_exempt(pad: HallooPad) -> bool:
	if pad == null:
		return false
	_messages[pad] = _messages.get(pad, 0) + 1
	return _messages[pad] <= MAX_EXEMPT_MESSAGES


func _extend_frame_budget(microseconds: int) -> void:
	var server := _native_server()
	if server != null:
		server.extend_frame_budget(microseconds)


func _handle_message(id: int, text: String) -> void:
	if _json.parse(text) != OK or not _json.data is Dictionary:
		return
	var message: Dictionary = _json.data
	if message.get("join") is Dictionary:
		_join(id, message.join)
	var pad: HallooPad = _connected.get(id)
	if pad == null:
		return
	for key: Variant in message:
		# A handler of a value may remove the pad.
		if pad.client_id == id:
			_handle_value(pad, key, message[key])


func _handle_value(pad: HallooPad, key: String, value: Variant) -> void:
	match typeof(value):
		TYPE_ARRAY:
			_handle_array(pad, key, value)
		TYPE_FLOAT, TYPE_BOOL:
			_handle_number(pad, key, value)
		TYPE_STRING:
			_handle_string(pad, key, value)
		TYPE_NIL:
			if key == "tilt":
				pad._tilt = Vector3.ZERO


func _handle_number(pad: HallooPad, key: String, value: float) -> void:
	if key == "pong":
		if int(value) == _ping:
			pad.latency_ms = (Time.get_ticks_usec() - _ping_sent) / 1000.0
	elif is_finite(value):
		_press(pad, key, clampf(value, 0.0, 1.0))


func _handle_string(pad: HallooPad, key: String, value: String) -> void:
	if key == "text":
		pad.text_received.emit(HallooPad._printable(value).left(HallooPad.MAX_TEXT_LENGTH))
	elif value in ["left", "right", "up", "down"]:
		pad.swiped.emit(key, value)


func _handle_array(pad: HallooPad, control: String, values: Array) -> void:
	for value: Variant in values:
		if not (value is float and is_finite(value)):
			return
	if control == "tilt" and values.size() == 3:
		pad._tilt = Vector3(values[0], values[1], values[2])
	elif values.size() == 2 and pad._set_vector(control, Vector2(values[0], values[1]).limit_length()):
		# Only the newest position in a frame is an event.
		_changed[pad] = true


func _press(pad: HallooPad, control: String, value: float) -> void:
	if not pad._set_button(control, value) or not as_joypads or not JOY_BUTTONS.has(control):
		return
	_changes[pad] = _changes.get(pad, 0) + 1
	if _changes[pad] <= MAX_CHANGES_PER_FRAME:
		_add_button_event(pad, control)
	else:
		_changed[pad] = true


func _add_button_event(pad: HallooPad, control: String) -> void:
	var event := InputEventJoypadButton.new()
	event.device = pad.device
	event.button_index = JOY_BUTTONS[control]
	event.pressed = pad.is_pressed(control)
	event.pressure = 1.0 if event.pressed else 0.0
	pad._emitted_buttons[control] = event.pressed
	_button_events.append(event)


## Tells [Input] what has changed.
func _emit_events() -> void:
	if not as_joypads:
		_changed.clear()
	if _button_events.is_empty() and _changed.is_empty():
		return
	var start := Time.get_ticks_usec()
	for pad: HallooPad in _changed:
		if _changes.get(pad, 0) > MAX_CHANGES_PER_FRAME:
			_add_newest_buttons(pad)
		_emit_axes(pad)
	for event in _button_events:
		Input.parse_input_event(event)
	# Before the handlers of the events, which may change a pad.
	_changed.clear()
	_button_events.clear()
	# Otherwise the engine keeps the events of this frame until the next one.
	Input.flush_buffered_events()
	# They are few for each pad, however many messages it has sent.
	_extend_frame_budget(Time.get_ticks_usec() - start)


func _add_newest_buttons(pad: HallooPad) -> void:
	for control: String in JOY_BUTTONS:
		if pad.is_pressed(control) != pad._emitted_buttons.get(control, false):
			_add_button_event(pad, control)


func _emit_axes(pad: HallooPad) -> void:
	for control: String in JOY_AXES:
		var vector := pad.get_vector(control)
		var before: Vector2 = pad._emitted_vectors.get(control, Vector2.ZERO)
		pad._emitted_vectors[control] = vector
		for i in 2:
			if vector[i] != before[i]:
				var event := InputEventJoypadMotion.new()
				event.device = pad.device
				event.axis = JOY_AXES[control][i]
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
		_tell_full(id)
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


func _tell_full(id: int) -> void:
	if WebSocketServer.send(id, JSON.stringify({"text": "The game is full. You join when a player leaves."})) == ERR_BUSY:
		_untold[id] = true


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
	pad._unsent.clear()
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
	_emit_events()
	# Before the signal, because a handler may remove the pad.
	_deadlines[pad] = Time.get_ticks_msec() + int(seat_timeout * 1000)
	pad_lost.emit(pad)


## Releases all controls of a pad.
func _rest(pad: HallooPad) -> void:
	for control: String in pad._vectors:
		if pad._set_vector(control, Vector2.ZERO):
			_changed[pad] = true
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
