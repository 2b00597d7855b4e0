extends Node2D
## A game for two or more gamepads: push the others off the ring. Written for [Input] alone, without a line about halloo.
##
## A gamepad joins with any button. The left stick moves, A dashes.

const RING := 250.0
const RADIUS := 30.0
const ACCELERATION := 900.0
const FRICTION := 1.6
const DASH := 420.0
const DASH_PAUSE := 1.0
const RESTART_PAUSE := 1.5

## The wrestlers by device.
var _wrestlers := {}
var _restart_in := 0.0


class Wrestler:
	var device := 0
	var position := Vector2.ZERO
	var velocity := Vector2.ZERO
	var dash_pause := 0.0
	var is_out := false
	var wins := 0

	func color() -> Color:
		return Color.from_hsv(fposmod(device * 0.618, 1.0), 0.6, 0.95)


func _input(event: InputEvent) -> void:
	if not event is InputEventJoypadButton or not event.pressed:
		return
	var wrestler: Wrestler = _wrestlers.get(event.device)
	if wrestler == null:
		_join(event.device)
	elif event.button_index == JOY_BUTTON_A and wrestler.dash_pause == 0.0 and not wrestler.is_out:
		wrestler.velocity += _stick(event.device) * DASH
		wrestler.dash_pause = DASH_PAUSE


func _physics_process(delta: float) -> void:
	for wrestler: Wrestler in _inside():
		wrestler.velocity += _stick(wrestler.device) * ACCELERATION * delta
		wrestler.velocity *= exp(-FRICTION * delta)
		wrestler.position += wrestler.velocity * delta
		wrestler.dash_pause = maxf(wrestler.dash_pause - delta, 0.0)
	_collide()
	for wrestler: Wrestler in _inside():
		wrestler.is_out = wrestler.position.length() > RING
	_finish_round(delta)
	queue_redraw()


func _stick(device: int) -> Vector2:
	var stick := Vector2(Input.get_joy_axis(device, JOY_AXIS_LEFT_X), Input.get_joy_axis(device, JOY_AXIS_LEFT_Y))
	return stick.limit_length() if stick.length() > 0.15 else Vector2.ZERO


func _join(device: int) -> void:
	var wrestler := Wrestler.new()
	wrestler.device = device
	_wrestlers[device] = wrestler
	_place(wrestler, _wrestlers.size() - 1)


func _place(wrestler: Wrestler, index: int) -> void:
	wrestler.position = Vector2.from_angle(index * 2.4) * RING * 0.6
	wrestler.velocity = Vector2.ZERO
	wrestler.is_out = false


func _inside() -> Array:
	return _wrestlers.values().filter(func(wrestler: Wrestler): return not wrestler.is_out)


func _collide() -> void:
	var inside := _inside()
	for i in inside.size():
		for j in range(i + 1, inside.size()):
			var one: Wrestler = inside[i]
			var other: Wrestler = inside[j]
			var apart := other.position - one.position
			var overlap := RADIUS * 2 - apart.length()
			if overlap <= 0.0:
				continue
			var normal := apart.normalized() if apart else Vector2.RIGHT
			one.position -= normal * overlap / 2
			other.position += normal * overlap / 2
			var speed := (one.velocity - other.velocity).dot(normal)
			if speed > 0.0:
				one.velocity -= normal * speed * 1.1
				other.velocity += normal * speed * 1.1


## Starts another round a while after only one is left.
func _finish_round(delta: float) -> void:
	var inside := _inside()
	if _wrestlers.size() < 2 or inside.size() > 1:
		_restart_in = RESTART_PAUSE
		return
	_restart_in -= delta
	if _restart_in > 0.0:
		return
	for wrestler: Wrestler in inside:
		wrestler.wins += 1
	for index in _wrestlers.size():
		_place(_wrestlers.values()[index], index)


func _draw() -> void:
	draw_circle(Vector2.ZERO, RING, Color(0.2, 0.23, 0.32))
	draw_arc(Vector2.ZERO, RING, 0, TAU, 96, Color(0.85, 0.75, 0.5), 5.0)
	var font := ThemeDB.fallback_font
	for wrestler: Wrestler in _wrestlers.values():
		if not wrestler.is_out:
			draw_circle(wrestler.position, RADIUS, wrestler.color())
			draw_string(font, wrestler.position + Vector2(-RADIUS, 7), str(wrestler.wins), HORIZONTAL_ALIGNMENT_CENTER,
					RADIUS * 2, 20, wrestler.color().darkened(0.7))
	if _wrestlers.size() < 2:
		draw_string(font, Vector2(-RING, 8), "Press a button to join", HORIZONTAL_ALIGNMENT_CENTER, RING * 2, 24)
