extends Node2D
## A player: a ball that its client steers.

const RADIUS := 26.0
const SPEED := 260.0
## Seconds for which a word such as "left" moves the player; a direction applies until the next message.
const STEP := 0.4
const JUMP_TIME := 0.5
const WORDS := {
	"left": Vector2.LEFT, "right": Vector2.RIGHT, "up": Vector2.UP, "down": Vector2.DOWN,
}

var field := Rect2()
var score := 0

var _id: int
var _color: Color
var _direction := Vector2.ZERO
var _step_left := 0.0
var _jump_left := 0.0


func _init(id: int) -> void:
	_id = id
	# Consecutive ids get clearly different colours.
	_color = Color.from_hsv(fposmod(id * 0.618, 1.0), 0.6, 0.95)


## Handles a message from the client: a word, or a direction such as [code]{"x": 0.5, "y": -1}[/code] with values from -1
## to 1. Ignores anything else, because clients may send anything.
func handle_message(text: String) -> void:
	var word := text.strip_edges().to_lower()
	if WORDS.has(word):
		_direction = WORDS[word]
		_step_left = STEP
	elif word == "jump":
		_jump_left = JUMP_TIME
	elif word == "stop":
		_direction = Vector2.ZERO
	elif word.begins_with("{"):
		_handle_direction(word)


func _handle_direction(text: String) -> void:
	var json := JSON.new()
	if json.parse(text) != OK or not json.data is Dictionary:
		return
	var x: Variant = json.data.get("x", 0.0)
	var y: Variant = json.data.get("y", 0.0)
	if x is float and y is float and is_finite(x) and is_finite(y):
		_direction = Vector2(x, y).limit_length()
		_step_left = INF


func _process(delta: float) -> void:
	_step_left -= delta
	_jump_left = maxf(_jump_left - delta, 0.0)
	if _step_left <= 0.0:
		_direction = Vector2.ZERO
	var inside := field.grow(-RADIUS)
	position = (position + _direction * SPEED * delta).clamp(inside.position, inside.end)
	queue_redraw()


func _draw() -> void:
	var height := sin(PI * _jump_left / JUMP_TIME) * 46.0
	draw_set_transform(Vector2(0, RADIUS), 0.0, Vector2(1.0, 0.35))
	draw_circle(Vector2.ZERO, RADIUS * (1.0 - height / 120.0), Color(0, 0, 0, 0.35))
	draw_set_transform(Vector2(0, -height))
	draw_circle(Vector2.ZERO, RADIUS, _color)
	draw_circle(Vector2(-8, -9), 7.0, _color.lightened(0.5))
	var text := str(_id)
	var font := ThemeDB.fallback_font
	var width := font.get_string_size(text, HORIZONTAL_ALIGNMENT_LEFT, -1, 20).x
	draw_string(font, Vector2(-width / 2, 8), text, HORIZONTAL_ALIGNMENT_LEFT, -1, 20, _color.darkened(0.7))
