class_name HallooPad
extends RefCounted
## The controller of one player: a phone with the page of the pad, or anything else that sends its messages. See [HallooPads].

## Emitted when the player has sent a text, at most 200 characters.
signal text_received(text: String)
## Emitted when the player has swiped on the area [param control], to the [code]"left"[/code], [code]"right"[/code],
## [code]"up"[/code] or [code]"down"[/code].
signal swiped(control: String, direction: String)

const MAX_NAME_LENGTH := 24
const MAX_TEXT_LENGTH := 200
## More controls than any layout has.
const MAX_CONTROLS := 32

## The name that the player chose, without control characters; "Player 1" and so on if there is none.
var name := ""
## The colour that the player chose; otherwise one that differs from those of the others.
var color := Color.WHITE
## The number of the seat, from 0 on. A seat that is given up is the next to be taken.
var index := 0
## The device of the events if [member HallooPads.as_joypads] is set.
var device := 0
## The id of the client; 0 while the player is away.
var client_id := 0
## The time that a message to the pad and back takes, in milliseconds; -1 while it is not known.
var latency_ms := -1.0

## What the player's device shows to be the same player again.
var _seat := ""
var _vectors := {}
## What the events of the gamepad have said so far.
var _emitted_vectors := {}
var _emitted_buttons := {}
var _buttons := {}
## The numbers of the physics frame and of the frame in which each button was last pressed.
var _pressed_in := {}
var _tilt := Vector3.ZERO
## What the phone has to show and the server was too busy to send, by the key of the message: only the newest values.
var _unsent := {}


## Returns whether the player's device is connected. While it is not, all controls are at rest.
func is_connected_now() -> bool:
	return client_id != 0


## Returns where a stick or a direction pad points, with a length of at most 1; the y-axis points down, as on the screen.
func get_vector(control: String) -> Vector2:
	return _vectors.get(control, Vector2.ZERO)


## Returns whether a button is pressed.
func is_pressed(control: String) -> bool:
	return _buttons.get(control, 0.0) >= 0.5


## Returns whether a button was pressed since the last frame, even if it is released again by now; in
## [method Node._physics_process], since the last physics frame.
func is_just_pressed(control: String) -> bool:
	var frames: Vector2i = _pressed_in.get(control, Vector2i(-2, -2))
	if Engine.is_in_physics_frame():
		return Engine.get_physics_frames() == frames.x + 1
	return Engine.get_process_frames() == frames.y


## Returns how the phone is tilted, in degrees: alpha, beta and gamma of the DeviceOrientation standard. Zero while there is no
## reading.
func get_tilt() -> Vector3:
	return _tilt


## Lets the phone vibrate for some milliseconds; where it cannot, its screen flashes. Returns the errors of
## [method WebSocketServer.send]. After [constant ERR_BUSY], the phone does not vibrate.
func vibrate(milliseconds := 30) -> Error:
	return _send({"vibrate": [clampi(milliseconds, 1, 5000)]})


## Shows a line of text on the pad; an empty one removes it. Returns the errors of [method WebSocketServer.send]. After
## [constant ERR_BUSY], it is sent as soon as the server can, unless another text follows.
func show_text(text: String) -> Error:
	return _show("text", text.left(MAX_TEXT_LENGTH))


## Changes the colour of the player, also on the pad. Returns the same errors as [method show_text].
func set_color(new_color: Color) -> Error:
	color = new_color
	return _show("color", "#" + new_color.to_html(false))


## Changes what is on the pad, as [member HallooPads.layout] does for all players. Returns the same errors as
## [method show_text].
func set_layout(layout: Dictionary) -> Error:
	return _show("layout", layout)


func _show(key: String, value: Variant) -> Error:
	_unsent[key] = value
	return _send_unsent()


func _send_unsent() -> Error:
	var error := _send(_unsent)
	if error != ERR_BUSY:
		_unsent.clear()
	return error


func _send(message: Dictionary) -> Error:
	if client_id == 0:
		return ERR_DOES_NOT_EXIST
	return WebSocketServer.send(client_id, JSON.stringify(message))


func _introduce(join: Dictionary, fallback_color: Color) -> void:
	var chosen: Variant = join.get("name", "")
	name = _printable(chosen).left(MAX_NAME_LENGTH).strip_edges() if chosen is String else ""
	if name.is_empty():
		name = "Player %d" % (index + 1)
	var html: Variant = join.get("color", "")
	color = Color.html(html) if html is String and html.length() <= 9 and Color.html_is_valid(html) else fallback_color
	color.a = 1.0


## Returns whether [param control] was changed: a new name of one is ignored when there are too many.
func _set_vector(control: String, value: Vector2) -> bool:
	if value == _vectors.get(control, Vector2.ZERO) or not (_vectors.size() < MAX_CONTROLS or _vectors.has(control)):
		return false
	_vectors[control] = value
	return true


## Returns whether [param control] was pressed or released.
func _set_button(control: String, value: float) -> bool:
	if _buttons.size() >= MAX_CONTROLS and not _buttons.has(control):
		return false
	var was_pressed := is_pressed(control)
	_buttons[control] = value
	if (value >= 0.5) == was_pressed:
		return false
	if not was_pressed:
		_pressed_in[control] = Vector2i(Engine.get_physics_frames(), Engine.get_process_frames())
	return true


## Returns a text without control and formatting characters, which could disturb what is shown around it.
static func _printable(text: String) -> String:
	var result := ""
	for character in text.left(200):
		var code := character.unicode_at(0)
		var is_control := code < 0x20 or (code >= 0x7F and code < 0xA0)
		var is_format := (code >= 0x200B and code <= 0x200F) or (code >= 0x2028 and code <= 0x202E) \
				or (code >= 0x2060 and code <= 0x206F) or code == 0xFEFF or code == 0xAD
		if not is_control and not is_format:
			result += character
	return result
