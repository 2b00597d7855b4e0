extends Node2D
## A player: a ball that its pad steers. The stick moves it, and A makes it jump.

const RADIUS := 26.0
const SPEED := 260.0
const JUMP_TIME := 0.5
## The player of a phone that is away is pale.
const AWAY := Color(1, 1, 1, 0.4)

var field := Rect2()
var score := 0

var _pad: HallooPad
var _jump_left := 0.0


func _init(pad: HallooPad) -> void:
	_pad = pad


func _process(delta: float) -> void:
	if _pad.is_just_pressed("a") and _jump_left == 0.0:
		_jump_left = JUMP_TIME
	_jump_left = maxf(_jump_left - delta, 0.0)
	var inside := field.grow(-RADIUS)
	position = (position + _pad.get_vector("left") * SPEED * delta).clamp(inside.position, inside.end)
	modulate = Color.WHITE if _pad.is_connected_now() else AWAY
	queue_redraw()


func _draw() -> void:
	var height := sin(PI * _jump_left / JUMP_TIME) * 46.0
	draw_set_transform(Vector2(0, RADIUS), 0.0, Vector2(1.0, 0.35))
	draw_circle(Vector2.ZERO, RADIUS * (1.0 - height / 120.0), Color(0, 0, 0, 0.35))
	draw_set_transform(Vector2(0, -height))
	draw_circle(Vector2.ZERO, RADIUS, _pad.color)
	draw_circle(Vector2(-8, -9), 7.0, _pad.color.lightened(0.5))
	var font := ThemeDB.fallback_font
	var width := font.get_string_size(_pad.name, HORIZONTAL_ALIGNMENT_LEFT, -1, 16).x
	draw_string(font, Vector2(-width / 2, -RADIUS - 8), _pad.name, HORIZONTAL_ALIGNMENT_LEFT, -1, 16, _pad.color)
